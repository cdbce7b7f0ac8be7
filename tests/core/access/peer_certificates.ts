/**
 * Certificates with names of the test's choice, by openssl.
 *
 * @module
 */

/** What stands in one. Values of `names` are as openssl's configuration has them: `DNS.1 = fra1.example.org`. */
export interface Wanted {
  /** `/CN=fra1/O=Example`. */
  readonly subject: string;
  readonly names?: readonly string[];
}

/** Its octets: signed by itself, which is for TLS to look at. */
export async function makeCertificate({ subject, names = [] }: Wanted): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "meridian-certificate-" });
  try {
    const alternatives = names.length > 0 ? `subjectAltName = @names\n[names]\n${names.join("\n")}\n` : "";
    await Deno.writeTextFile(
      `${folder}/config`,
      `[req]\ndistinguished_name = dn\nx509_extensions = extensions\nutf8 = yes\n[dn]\n[extensions]\n` +
        `basicConstraints = CA:FALSE\n${alternatives}`,
    );
    const args = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-utf8",
    ];
    const { success, stderr } = await new Deno.Command("openssl", {
      args: [...args, "-keyout", "key", "-out", "der", "-outform", "DER", "-days", "2", "-config", "config"]
        .concat("-subj", subject),
      cwd: folder,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return await Deno.readFile(`${folder}/der`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
