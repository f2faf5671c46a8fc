import { SkerryClient, type SkerryOptions, type Timing } from 'skerry/client';

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, or a text that is sent as it is. */
  readonly body?: unknown;
  /** Whether the connection breaks behind the body. */
  readonly isCut?: boolean;
}

/** What a server would not say on demand: answers, in order, each once; an Error stands for a connection that breaks. */
export type Script = readonly (ScriptedAnswer | Error)[];

export interface Scripted {
  readonly client: SkerryClient;
  /** The requests so far, as `METHOD path?query`. */
  readonly requests: string[];
  readonly headers: Headers[];
  /** How long the client has waited between its attempts, in milliseconds. */
  readonly waits: number[];
}

/** A client whose requests are answered by a script, and whose waits are over at once. */
export function scripted(script: Script, options: Partial<SkerryOptions> = {}, random = 0.5): Scripted {
  const left = [...script];
  const requests: string[] = [];
  const headers: Headers[] = [];
  const waits: number[] = [];
  let now = 0;
  const timing: Timing = {
    now: () => now,
    steady: () => now,
    random: () => random,
    async wait(milliseconds, signal) {
      signal?.throwIfAborted();
      waits.push(milliseconds);
      now += milliseconds;
      // Whoever tries again and again must not keep the test from going on.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  const client = new SkerryClient({
    url: 'http://skerry',
    timing,
    async fetch(input, init) {
      init?.signal?.throwIfAborted();
      const { pathname, search } = new URL(String(input));
      requests.push(`${init?.method ?? 'GET'} ${pathname.replace('/api/v1/', '')}${search}`);
      headers.push(new Headers(init?.headers));
      const answer = left.shift();
      if (answer === undefined) throw new Error('The script is over.');
      if (answer instanceof Error) throw answer;
      const { status = 200, body } = answer;
      const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
      return new Response(answer.isCut === true ? cutBehind(text ?? '') : text, {
        status,
        headers: { 'content-type': 'application/json', ...answer.headers },
      });
    },
    ...options,
  });
  return { client, requests, headers, waits };
}

export function problem(status: number, kind: string, headers: Record<string, string> = {}): ScriptedAnswer {
  const body = { type: `https://skerry.dev/problems/${kind}`, title: kind, status, detail: 'No.' };
  return { status, headers, body };
}

function cutBehind(text: string): ReadableStream {
  let isSent = false;
  return new ReadableStream({
    pull(controller) {
      if (isSent) controller.error(new TypeError('terminated'));
      else controller.enqueue(new TextEncoder().encode(text));
      isSent = true;
    },
  });
}
