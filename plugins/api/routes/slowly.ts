/** What is long is done and told piece by piece: heartbeats and other requests have their turn in between. @module */

/** Others have something to do meanwhile. */
export const othersTurn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** Texts as a stream: the next is made when somebody has read the one before. @param first Is there already. */
export function streamOfText(texts: AsyncGenerator<string>, first?: string): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let text = first;
  return new ReadableStream({
    async pull(controller) {
      const next = text === undefined ? await texts.next() : { done: false, value: text };
      text = undefined;
      if (next.done) controller.close();
      else controller.enqueue(encoder.encode(next.value));
    },
    async cancel() {
      await texts.return(undefined);
    },
  }, { highWaterMark: 0 });
}
