// A client of the conformance server in a page of its own, which watches the collection `items`.

/** Subscribes to all items. Returns a function that ends the connection. */
export async function watchItems(visit, server) {
  const page = await visit.open(server.url);
  await page.evaluate(async () => {
    const { DdpClient } = await import('/bolide.js');
    globalThis.client = new DdpClient();
    await globalThis.client.connect();
    globalThis.items = globalThis.client.subscribe('items');
    await globalThis.items.ready;
  });
  return () => page.evaluate(() => globalThis.items.stop());
}
