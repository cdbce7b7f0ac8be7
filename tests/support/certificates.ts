/**
 * Certificates of an authority of the test's own, made by openssl and gone with their folder.
 *
 * @module
 */

/** PEM files. */
export interface Certificates extends AsyncDisposable {
  readonly authority: string;
  /** For `dns.example.org`, 127.0.0.1 and whatever else was asked for. */
  readonly server: { readonly certificate: string; readonly key: string };
  /** For `client.example.org`. */
  readonly client: { readonly certificate: string; readonly key: string };
}

/** Makes them; takes a tenth of a second. @param addresses More addresses that the server's is for. */
export async function makeCertificates(addresses: readonly string[] = []): Promise<Certificates> {
  const folder = await Deno.makeTempDir({ prefix: "meridian-certificates-" });
  await openssl(
    folder,
    `req -x509 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority ${KEY} ` +
      "-addext basicConstraints=critical,CA:TRUE",
  );
  const leaf = async (name: string, alternatives: string) => {
    await Deno.writeTextFile(
      `${folder}/${name}.ext`,
      `subjectAltName=${alternatives}\nbasicConstraints=CA:FALSE\n`,
    );
    await openssl(
      folder,
      `req -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=${name}.example.org ${KEY}`,
    );
    await openssl(
      folder,
      `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out ${name}.pem -days 2 -extfile ${name}.ext`,
    );
    return { certificate: `${folder}/${name}.pem`, key: `${folder}/${name}.key` };
  };
  return {
    authority: `${folder}/ca.pem`,
    server: await leaf(
      "dns",
      ["DNS:dns.example.org", ...["127.0.0.1", ...addresses].map((one) => `IP:${one}`)].join(","),
    ),
    client: await leaf("client", "DNS:client.example.org"),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1";

async function openssl(folder: string, words: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args: words.split(" "), cwd: folder })
    .output();
  if (!success) throw new Error(`openssl ${words}: ${new TextDecoder().decode(stderr)}`);
}
