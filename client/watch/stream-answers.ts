import { type Deadline, startDeadline } from '../transport/deadline.ts';
import { type ProblemBody, SkerryProblem, SkerryUnreachable } from '../transport/problem.ts';
import type { Transport } from '../transport/transport.ts';
import { pollAnswers } from './poll-answers.ts';
import { readEvents } from './server-sent-events.ts';
import type { WatchAnswer, WatchRequest } from './watch-answer.ts';

/** Skerry sends a comment every 15 s; silence for longer than this, in milliseconds, is a connection that is gone. */
const LONGEST_SILENCE = 40_000;

/** The answers from a position on, out of one event stream; ends when Skerry ends the stream. */
export async function* streamAnswers(
  transport: Transport,
  request: WatchRequest,
  from: string | undefined,
): AsyncGenerator<WatchAnswer, void, undefined> {
  const { path, types, wait, signal } = request;
  let isSilent = true;
  let nextPage: string | undefined;
  const connection = new AbortController();
  let silence = listen();
  try {
    const response = await transport.open({
      path: `watch/${path}`,
      query: { cursor: from, wait, type: types },
      headers: { accept: 'text/event-stream' },
      signal: connection.signal,
    });
    if (!/^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '')) {
      // Skerry, or something on the way to it, does not stream.
      await response.body?.cancel();
      yield* pollAnswers(transport, request, from);
    }
    for await (const { event, data } of readEvents(response, () => {
      isSilent = false;
      silence.end();
      silence = listen();
    })) {
      const content: unknown = JSON.parse(data);
      if (event === 'compacted') throw new SkerryProblem(content as ProblemBody);
      if (event === 'bookmark') yield { changes: [], ...(content as object) };
      else {
        const answer = content as WatchAnswer;
        nextPage = 'resync' in answer ? answer.resync.next : undefined;
        yield answer;
      }
    }
    // Skerry sends no more than so much in one stream, which a resync may exceed.
    if (nextPage !== undefined) yield* pollAnswers(transport, request, undefined, nextPage);
    if (isSilent) throw new Error('It ended before it told anything.');
  } catch (error) {
    if (error instanceof SkerryProblem) throw error;
    if (signal?.aborted) throw signal.reason;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SkerryUnreachable(`The event stream of ${path} broke off: ${reason}`, { cause: error });
  } finally {
    silence.end();
    connection.abort();
  }

  function listen(): Deadline {
    const deadline = startDeadline(LONGEST_SILENCE, signal);
    const hangUp = () => connection.abort(deadline.signal.reason);
    if (deadline.signal.aborted) hangUp();
    deadline.signal.addEventListener('abort', hangUp);
    return deadline;
  }
}
