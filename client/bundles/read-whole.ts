import { backoff } from '../transport/backoff.ts';
import { type Deadline, startDeadline } from '../transport/deadline.ts';
import { isPassing, SkerryProblem, SkerryUnreachable } from '../transport/problem.ts';
import type { Call, Transport } from '../transport/transport.ts';

type Chunk = Uint8Array<ArrayBuffer>;

/**
 * What never changes, however long it is: when its stream breaks off, or is silent for too long, it goes on with the byte that was to come
 * next.
 *
 * @throws SkerryProblem, SkerryUnreachable, or the reason of `call.signal`, while it is read.
 */
export function readWhole(transport: Transport, call: Call): ReadableStream<Chunk> {
  const chunks = readChunks(transport, call);
  return new ReadableStream<Chunk>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* readChunks(transport: Transport, call: Call): AsyncGenerator<Chunk, void, undefined> {
  const { timing, timeout } = transport;
  let received = 0;
  let failures = 0;
  let endsAt = timing.steady() + timeout;
  for (;;) {
    try {
      for await (const chunk of readOnce(transport, call, received)) {
        received += chunk.byteLength;
        failures = 0;
        endsAt = timing.steady() + timeout;
        yield chunk;
      }
      return;
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason;
      // It broke off behind the last byte.
      if (error instanceof SkerryProblem && error.status === 416 && received > 0) return;
      if (error instanceof SkerryProblem && !isPassing(error)) throw error;
      failures += 1;
      const asked = error instanceof SkerryProblem ? error.retryAfter : undefined;
      const pause = backoff(failures, timing.random(), asked);
      if (timing.steady() + pause >= endsAt) throw brokenOff(call, error);
      await timing.wait(pause, call.signal);
    }
  }
}

/** One attempt, from a byte on. */
async function* readOnce(
  transport: Transport,
  call: Call,
  start: number,
): AsyncGenerator<Chunk, void, undefined> {
  const connection = new AbortController();
  let silence = listen();
  let reader: ReadableStreamDefaultReader<Chunk> | undefined;
  try {
    const range = start === 0 ? {} : { range: `bytes=${start}-` };
    const headers = { ...call.headers, ...range };
    const response = await transport.open({ ...call, headers, signal: connection.signal });
    reader = response.body?.getReader();
    // Whoever does not know ranges begins anew.
    let known = response.status === 206 ? 0 : start;
    for (;;) {
      silence.end();
      silence = listen();
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) return;
      // Whoever reads may take their time.
      silence.end();
      const fresh = value.subarray(Math.min(known, value.byteLength));
      known -= value.byteLength - fresh.byteLength;
      if (fresh.byteLength > 0) yield fresh;
    }
  } finally {
    silence.end();
    // Also where whoever reads has seen enough.
    connection.abort();
  }

  function listen(): Deadline {
    const deadline = startDeadline(transport.attemptTimeout, call.signal);
    const hangUp = () => connection.abort(deadline.signal.reason);
    if (deadline.signal.aborted) hangUp();
    deadline.signal.addEventListener('abort', hangUp);
    return deadline;
  }
}

function brokenOff({ path }: Call, cause: unknown): unknown {
  if (cause instanceof SkerryProblem) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SkerryUnreachable(`${path} could not be read to its end: ${reason}`, { cause });
}
