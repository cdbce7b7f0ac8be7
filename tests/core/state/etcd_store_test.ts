import assert from "node:assert/strict";
import { StoreRefusedError, StoreUnavailableError } from "../../../core/state/store.ts";
import { openEtcdStore } from "../../../core/state/etcd_store.ts";
import { EtcdCluster } from "../../support/etcd.ts";
import { type Opened, testContract } from "./contract.ts";

// One member for all tests of the contract: each has a prefix of its own.
let cluster: EtcdCluster | undefined;

Deno.test.beforeAll(async () => {
  cluster = await EtcdCluster.start(1);
});
Deno.test.afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

let opened = 0;

function open(): Promise<Opened> {
  const prefix = `/contract/${opened++}/`, stores = [openEtcdStore(cluster!, prefix)];
  return Promise.resolve({
    store: stores[0]!,
    again() {
      stores.push(openEtcdStore(cluster!, prefix));
      return Promise.resolve(stores.at(-1)!);
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
    },
  });
}

async function compact({ store }: Opened): Promise<void> {
  const { revision } = await store.list("");
  const response = await fetch(`${cluster!.urls[0]}/v3/kv/compaction`, {
    ...{ method: "POST", body: JSON.stringify({ revision: `${revision}` }) },
  });
  if (!response.ok) throw new Error(await response.text());
  await response.body?.cancel();
}

testContract({ kind: "etcd", open, compact });

Deno.test("etcd: a member that hangs is passed over, and what may have been done is not done again", async () => {
  // Nobody else is to be taken to have gone, and no other leader to be wanted, where the machine is slow.
  await using three = await EtcdCluster.start(3, [
    "--heartbeat-interval",
    "200",
    "--election-timeout",
    "8000",
  ]);
  const leader = await three.leader();
  // Asked first, and not the leader: the others can go on at once.
  const hanging = three.members.find((member) => member !== leader)!;
  const urls = [hanging.url, ...three.urls.filter((url) => url !== hanging.url)];
  const store = openEtcdStore({ urls });
  await store.transact([{ put: "a", value: "1" }]);
  hanging.signal("SIGSTOP");
  await assert.rejects(store.transact([{ put: "a", value: "2" }]), StoreUnavailableError);
  assert.equal((await store.transact([{ put: "b", value: "3" }])).succeeded, true);
  const again = openEtcdStore({ urls });
  assert.equal((await again.get("b"))!.value, "3");
  hanging.signal("SIGCONT");
  await store.close();
  await again.close();
});

Deno.test("etcd: a process that stands still for longer than it waits for a member hears its answer all the same", async () => {
  const asked = Promise.withResolvers<void>();
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    requests++;
    asked.resolve();
    // Who asked is in this process as well, and comes to read what is there when its timers have been seen to.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500);
    return Response.json({ header: { revision: "7" } });
  });
  const store = openEtcdStore({ urls: [`http://127.0.0.1:${server.addr.port}`] });
  assert.equal((await store.list("")).revision, 7);
  await asked.promise;
  assert.equal(requests, 1);
  await store.close();
  await server.shutdown();
});

Deno.test("etcd: a password is asked for, and one that is wrong is refused for good", async () => {
  await using one = await EtcdCluster.start(1);
  const ask = async (path: string, body: unknown) => {
    const response = await fetch(`${one.urls[0]}${path}`, { method: "POST", body: JSON.stringify(body) });
    assert.ok(response.ok, await response.text());
  };
  await ask("/v3/auth/user/add", { name: "root", password: "right" });
  await ask("/v3/auth/user/grant", { user: "root", role: "root" });
  await ask("/v3/auth/enable", {});
  const store = openEtcdStore({ urls: one.urls, user: "root", password: "right" });
  assert.equal((await store.transact([{ put: "a", value: "1" }])).succeeded, true);
  const wrong = openEtcdStore({ urls: one.urls, user: "root", password: "wrong" });
  await assert.rejects(wrong.get("a"), StoreRefusedError);
  const none = openEtcdStore({ urls: one.urls });
  await assert.rejects(none.get("a"), StoreRefusedError);
  for (const each of [store, wrong, none]) await each.close();
});
