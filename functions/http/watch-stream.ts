import { SkerryError } from '../../shared/platform/errors.ts';
import { type HttpResponse, toProblem } from '../../shared/platform/http/index.ts';
import type { Follower, Place, ResyncPage, WatchAnswer } from '../../shared/records/index.ts';
import type { Services } from '../services.ts';
import { nextWhileAllowed } from './while-allowed.ts';

/** How often something is sent at least, in milliseconds, so that nobody on the way takes the connection for idle. */
const HEARTBEAT = 15_000;
/** How soon a client comes back after the stream has ended, in milliseconds. */
const RETRY = 1_000;
/**
 * What one stream sends at the most. The library writes without a look at how fast the client reads (docs/decisions/0007), so
 * that this is what a slow one costs in memory; the client goes on from the last id.
 */
const MAX_STREAM_BYTES = 32 * 1024 * 1024;
/** Marks an id in the midst of a resync: the rest is where its next page begins. */
const WITHIN_RESYNC = '~';

export interface WatchStream {
  /** Where the client goes on from; undefined when it begins with a resync. */
  readonly cursor: string | undefined;
  /** When the stream ends by itself, in milliseconds since the Unix epoch. */
  readonly end: number;
  readonly requestId: string;
  /** The actor who watches. */
  readonly holder: string;
  /** Throws where they may be told no more; the stream ends then. */
  checkRight(): Promise<void>;
  resync(after: string | undefined): Promise<ResyncPage>;
  follow(cursor: string, place: Place): Follower;
  showResync(page: ResyncPage): object;
  showChanges(answer: WatchAnswer): object;
  showPlace(cursor: string): object;
}

/**
 * Answers with Server-Sent Events (WHATWG HTML, section "Server-sent events").
 *
 * @throws SkerryError what is wrong at the beginning, as any other answer would say it.
 */
export async function answerWithEvents(stream: WatchStream, services: Services): Promise<HttpResponse> {
  const events = sendEvents(stream, services.watches.takePlace(stream.holder), services);
  const first = await events.next();
  return {
    status: 200,
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
    body: continueQuietly(first, events),
  };
}

/** A failure after the first byte can only end the stream: thrown, it would leave the client waiting for ever in Azure. */
function continueQuietly(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void>,
): AsyncIterable<Uint8Array> {
  let held: typeof first | undefined = first;
  const iterator: AsyncIterator<Uint8Array, void> = {
    async next() {
      const result = held;
      held = undefined;
      return result ?? (await rest.next().catch(() => ({ done: true, value: undefined })));
    },
    return: () => rest.return(),
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

async function* sendEvents(
  stream: WatchStream,
  place: Place,
  { watches, clock }: Services,
): AsyncGenerator<Uint8Array, void> {
  let follower: Follower | undefined;
  let sent = 0;
  const send = (text: string) => {
    const bytes = encoder.encode(text);
    sent += bytes.byteLength;
    return bytes;
  };
  const isOver = () => clock.now() >= stream.end || sent >= MAX_STREAM_BYTES || watches.isClosed;
  try {
    let cursor = stream.cursor;
    let after = cursor?.startsWith(WITHIN_RESYNC) === true ? cursor.slice(1) : undefined;
    let preamble = `retry: ${RETRY}\n\n`;
    while (cursor === undefined || after !== undefined) {
      const page = await stream.resync(after);
      await stream.checkRight();
      after = page.next;
      cursor = page.cursor;
      const id = after === undefined ? cursor : WITHIN_RESYNC + after;
      yield send(preamble + toEvent('resync', stream.showResync(page), id));
      preamble = '';
      if (after !== undefined && isOver()) {
        return;
      }
    }
    follower = stream.follow(cursor, place);
    // What a resumed stream begins with is not waited for.
    let deadline = Math.min(clock.now() + (preamble === '' ? HEARTBEAT : 0), stream.end);
    for (;;) {
      const answer = await nextWhileAllowed(follower, deadline, () => stream.checkRight(), clock);
      if (answer.changes.length > 0) {
        yield send(preamble + toEvent('changes', stream.showChanges(answer), answer.cursor));
      } else if (answer.cursor !== cursor) {
        yield send(preamble + toEvent('bookmark', stream.showPlace(answer.cursor), answer.cursor));
      } else if (preamble !== '' || !isOver()) {
        yield send(`${preamble}: heartbeat\n\n`);
      }
      preamble = '';
      cursor = answer.cursor;
      if (isOver()) {
        return;
      }
      deadline = Math.min(clock.now() + HEARTBEAT, stream.end);
    }
  } catch (error) {
    if (!(error instanceof SkerryError) || error.kind !== 'compacted') {
      throw error;
    }
    yield send(toEvent('compacted', toProblem(error, stream.requestId)));
  } finally {
    follower?.close();
    place.release();
  }
}

const encoder = new TextEncoder();

/** JSON has no line ends, so that one line of data holds it. */
function toEvent(name: string, data: object, id?: string): string {
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}
