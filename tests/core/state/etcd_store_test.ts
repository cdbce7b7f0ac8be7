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
