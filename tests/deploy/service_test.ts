import assert from "node:assert/strict";
import { ensurePackages } from "../../scripts/packages.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const UNIT = await Deno.readTextFile(`${ROOT}/deploy/meridian.service`);

await ensurePackages(["bind9-dnsutils", "iproute2", "systemd", "util-linux"]);

/** What systemd makes of a unit whose program is there: nothing, if all is well. */
async function verify(unit: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/meridian.service`;
    await Deno.writeTextFile(file, unit.replaceAll("/usr/local/bin/meridian", "/bin/true"));
    const command = new Deno.Command("systemd-analyze", { args: ["verify", "--man=no", file] });
    const { code, stdout, stderr } = await command.output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return code === 0 ? said : `${code} ${said}`;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("systemd has nothing to say against the unit", async () => {
  assert.equal(await verify(UNIT), "");
  assert.match(await verify(UNIT.replace("ProtectHome=yes", "ProtectHouse=yes")), /ProtectHouse/);
});

/** The value of a directive that stands in the unit once. */
function directive(name: string): string {
  const found = UNIT.split("\n").filter((line) => line.startsWith(`${name}=`));
  assert.equal(found.length, 1, name);
  return found[0]!.slice(name.length + 1);
}

/**
 * What the unit asks of systemd, done by hand, in namespaces of its own: a user without rights, one capability,
 * everything read-only but the folder of states. Then a question on port 53, and the signal to stop.
 */
const SCRIPT = `
set -eu
mount --make-rprivate /
ip link set lo up
mkdir "$FOLDER/deno" "$FOLDER/house" "$FOLDER/state"
mount --bind "$DENO_CACHE" "$FOLDER/deno"
mount --bind "$HOUSE" "$FOLDER/house"
mount -t tmpfs -o mode=0777 tmpfs "$FOLDER/state"
mount -o remount,bind,ro "$FOLDER/deno"
mount -o remount,bind,ro "$FOLDER/house"
mount -o remount,bind,ro /
cd "$FOLDER/house"
export DENO_DIR="$FOLDER/deno" HOME=/nonexistent
setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs \\
  --inh-caps "$CAPS" --ambient-caps "$CAPS" --bounding-set "$CAPS" \\
  "$FOLDER/deno.exe" run -A --cached-only main.ts serve -quiet -conf "$FOLDER/Corefile" -pidfile "$FOLDER/state/pid" > "$FOLDER/state/log" &
server=$!
for try in $(seq 1200); do [ -e "$FOLDER/state/pid" ] && break; sleep 0.1; done
for try in $(seq 1200); do [ $(grep -c 'is all-down' "$FOLDER/state/log") -ge 2 ] && break; sleep 0.1; done
dig +short +tries=1 +time=20 @127.0.0.1 entry.anycast.example A
dig +short +tries=1 +time=20 +tcp @::1 entry.anycast.example A +subnet=80.128.0.0/24
grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs)' /proc/$server/status
kill -TERM $server
code=0; wait $server || code=$?
echo "ended with $code, kept $(echo $(ls "$FOLDER/state/kept"))"
`;

/**
 * The example's fleet: embedded geo data, probes in a worker, a node list, a zone. Nothing listens on its nodes: once all
 * are known to be down the answer is chosen as if none were.
 */
const COREFILE = (folder: string) =>
  `{
    state ${folder}/state/kept
    control ${folder}/state/control.sock
}
anycast.example {
    geo
    health {
        check tcp 8443
    }
    anycast entry.anycast.example {
        nodes ${folder}/house/nodes.yaml
        answers 1
        unknown nearest 35.7 139.7
    }
    file ${folder}/house/zones/anycast.example.zone
}
`;

Deno.test("as the unit starts it, without any right but to the port, the server answers on port 53", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.chmod(folder, 0o755);
    await Deno.writeTextFile(`${folder}/Corefile`, COREFILE(folder));
    await Deno.copyFile(Deno.execPath(), `${folder}/deno.exe`);
    await Deno.chmod(`${folder}/deno.exe`, 0o755);
    assert.equal(directive("Type"), "notify");
    const manager = Deno.listenDatagram({ transport: "unixpacket", path: `${folder}/notify` });
    await Deno.chmod(`${folder}/notify`, 0o666);
    const told: string[] = [];
    const listening = (async () => {
      for await (const [octets] of manager) told.push(new TextDecoder().decode(octets).trim());
    })();
    const capability = directive("AmbientCapabilities");
    assert.equal(directive("CapabilityBoundingSet"), capability);
    const command = new Deno.Command("unshare", {
      args: ["--net", "--mount", "sh", "-c", SCRIPT],
      env: {
        FOLDER: folder,
        HOUSE: ROOT,
        CAPS: `-all,+${capability.replace("CAP_", "").toLowerCase()}`,
        DENO_CACHE: await cacheFolder(),
        NOTIFY_SOCKET: `${folder}/notify`,
      },
    });
    const { stdout, stderr } = await command.output();
    manager.close();
    await listening;
    const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) =>
      line.replace(/\s+/g, " ")
    );
    assert.deepEqual(lines, [
      "127.0.0.19",
      "127.0.0.11",
      "Uid: 65532 65532 65532 65532",
      "CapEff: 0000000000000400",
      "CapBnd: 0000000000000400",
      "NoNewPrivs: 1",
      "ended with 0, kept geo health.json last_serving.json",
    ], new TextDecoder().decode(stderr));
    assert.match(told[0]!, /^READY=1$/m);
    assert.match(told.at(-1)!, /^STOPPING=1$/m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Where this deno keeps what it fetched. */
async function cacheFolder(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
