export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/**
 * The events of a stream (WHATWG HTML, section "Server-sent events"), without those that have no data.
 *
 * @param heard called for everything that arrives, comments included.
 */
export async function* readEvents(
  { body }: Response,
  heard: () => void,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  if (body === null) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      // A carriage return at the end may be the first half of a line end.
      const text = pending + value;
      const whole = text.endsWith('\r') ? text.slice(0, -1) : text;
      const blocks = whole.split(/\r\n\r\n|\n\n|\r\r/);
      pending = (blocks.pop() ?? '') + text.slice(whole.length);
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function parseEvent(block: string): ServerSentEvent | undefined {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { event, data: data.join('\n') };
}
