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
  const block = new EventBlock();
  let pending = '';
  let endsInReturn = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      // A line may end in a return and a newline, of which only the first has come so far.
      const text = endsInReturn && value.startsWith('\n') ? value.slice(1) : value;
      endsInReturn = value.endsWith('\r');
      const lines = (pending + text).split(/\r\n|\n|\r/);
      pending = lines.pop() ?? '';
      for (const line of lines) {
        const event = block.take(line);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** The lines of an event so far. */
class EventBlock {
  #event = 'message';
  #data: string[] = [];

  /** @returns the event that an empty line completes. */
  take(line: string): ServerSentEvent | undefined {
    if (line !== '') {
      const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (field === 'event') this.#event = value;
      if (field === 'data') this.#data.push(value);
      return undefined;
    }
    const event = this.#data.length === 0 ? undefined : { event: this.#event, data: this.#data.join('\n') };
    this.#event = 'message';
    this.#data = [];
    return event;
  }
}
