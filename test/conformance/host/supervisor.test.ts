import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, type TestContext, vi } from 'vitest';
import { isRunning } from '../../../infra/local/launch/process-identity.ts';
import { type HostProcess, HostStartError, startHost } from './host-process.ts';

const PATIENCE = { timeout: 45_000, interval: 20 };

async function start(
  test: TestContext,
  commandLine: readonly string[] = [],
  environment: Record<string, string> = {},
): Promise<HostProcess> {
  const host = await startHost('supervised', environment, commandLine);
  test.onTestFinished(() => host.kill());
  return host;
}

const reportsOf = (host: HostProcess, event: string) =>
  host.reports.filter((report) => report.event === event);
const pidsOf = (host: HostProcess, event: string) => reportsOf(host, event).map(({ pid }) => pid as number);

interface Answer {
  readonly status: number;
  readonly body: { readonly pid: number; readonly count: number } | undefined;
}

/** Asks on a connection of its own, so that the workers' turns show. */
function ask(host: HostProcess, deed: string, method = 'GET', requestBody = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const path = deed.startsWith('/') ? deed : `/api/${deed}`;
    const asking = request(host.url + path, { agent: false, method }, (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject).on('end', () => {
        const body = text === '' ? undefined : (JSON.parse(text) as Answer['body']);
        resolve({ status: response.statusCode ?? 0, body });
      });
    });
    asking.on('error', reject).end(requestBody);
  });
}

const drainStatus = async (host: HostProcess) => (await ask(host, '/admin/host/drain/status')).body;

/** The processes that answer, once `count` do. */
async function workersOf(host: HostProcess, count: number): Promise<number[]> {
  const pids = new Set<number>();
  await vi.waitFor(async () => {
    pids.add((await ask(host, 'count')).body?.pid ?? 0);
    expect(pids.size).toBe(count);
  }, PATIENCE);
  return [...pids];
}

async function electedOf(host: HostProcess): Promise<number> {
  const before = reportsOf(host, 'tick').length;
  await vi.waitFor(() => expect(reportsOf(host, 'tick').length).toBeGreaterThan(before), PATIENCE);
  return pidsOf(host, 'tick').at(-1) ?? 0;
}

const isAlive = (pid: number) => isRunning({ pid });

describe.concurrent('workers', () => {
  it('take connections in turn, and share nothing', async (test) => {
    const host = await start(test, ['--workers', '2']);
    const answers: Answer[] = [];
    for (let each = 0; each < 6; each++) answers.push(await ask(host, 'count'));
    const [first, second] = answers.map(({ body }) => body?.pid);
    expect(answers.map(({ body }) => body)).toEqual(
      [1, 1, 2, 2, 3, 3].map((count, index) => ({ pid: index % 2 === 0 ? first : second, count })),
    );
    expect(first).not.toBe(second);
    expect([first, second]).not.toContain(host.pid);
  });

  it.for<[number, string, string[], Record<string, string>]>([
    [1, 'unless told', [], {}],
    [2, 'in strict mode', ['--strict'], {}],
    [1, 'in strict mode if told', ['--strict', '--workers', '1'], {}],
    [3, 'as FUNCTIONS_WORKER_PROCESS_COUNT says', ['--strict'], { FUNCTIONS_WORKER_PROCESS_COUNT: '3' }],
  ])('are %i %s', async ([count, _, commandLine, environment], test) => {
    const host = await start(test, commandLine, environment);
    const pids = new Set<number | undefined>();
    for (let each = 0; each < 2 * count; each++) pids.add((await ask(host, 'count')).body?.pid);
    expect(pids.size).toBe(count);
  });

  it.for(['0', '11', '1.5', 'many'])('cannot be %s', async (count, test) => {
    const refusal = start(test, ['--workers', count]);
    await expect(refusal).rejects.toThrow(`'${count}' is no number of workers`);
    await expect(refusal).rejects.toBeInstanceOf(HostStartError);
  });

  it('are one host, which has one id', async (test) => {
    const host = await start(test, ['--workers', '2']);
    const statuses: unknown[] = [];
    for (let each = 0; each < 2; each++) statuses.push((await ask(host, '/admin/host/status')).body);
    expect(statuses[0]).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]{32}$/), state: 'Running' });
    expect(statuses[1]).toMatchObject({ id: (statuses[0] as { id: string }).id });
  });
});

describe.concurrent('a worker that crashes', () => {
  it.for([
    ['throw', 'nobody catches this'],
    ['reject', 'nobody awaits this'],
  ] as const)(
    'by an error that nobody handles (%s) fails what runs in it, is replaced, and keeps the port',
    async ([deed, message], test) => {
      const host = await start(test, ['--workers', '2']);
      const [one, other] = await workersOf(host, 2);
      const held = [1, 2, 3, 4].map(() => ask(host, 'hold').catch(() => undefined));
      await vi.waitFor(() => expect(reportsOf(host, 'hold')).toHaveLength(4), PATIENCE);
      await expect(ask(host, deed)).rejects.toThrow();
      await vi.waitFor(() => expect(pidsOf(host, deed)).toHaveLength(1), PATIENCE);
      const [crashed = 0] = pidsOf(host, deed);
      expect([one, other]).toContain(crashed);
      await vi.waitFor(() => expect(host.output()).toContain(message), PATIENCE);
      host.send({ type: 'let go' });
      const survivor = crashed === one ? other : one;
      const answers = (await Promise.all(held)).map((answer) => answer?.body?.pid);
      const [some = 0, others = 0] = [crashed, survivor].map(
        (pid) => pidsOf(host, 'hold').filter((holder) => holder === pid).length,
      );
      expect(answers.filter((pid) => pid === undefined)).toHaveLength(some);
      expect(answers.filter((pid) => pid === survivor)).toHaveLength(others);
      expect(await workersOf(host, 2)).not.toContain(crashed);
    },
  );

  it('makes requests wait, where it is the only one, until its successor answers', async (test) => {
    const host = await start(test);
    const [first = 0] = await workersOf(host, 1);
    await expect(ask(host, 'throw')).rejects.toThrow();
    const answers = await Promise.all([1, 2, 3].map(() => ask(host, 'count')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers[0]?.body?.pid).not.toBe(first);
  });

  it('again and again is replaced after ever longer pauses', async (test) => {
    const host = await start(test);
    for (const pause of ['', ' in 1 s', ' in 2 s']) {
      const [pid = 0] = await workersOf(host, 1);
      process.kill(pid, 'SIGKILL');
      const line = `Worker ${pid} ended (signal SIGKILL); another is started${pause}.`;
      await vi.waitFor(() => expect(host.output()).toContain(line), PATIENCE);
    }
    expect((await ask(host, 'count')).status).toBe(200);
  });
});

describe.concurrent('a host whose app has broken since it started', () => {
  it('tries on, turns requests away after 30 s, and answers once the app is whole again', async (test) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'host-app-'));
    test.onTestFinished(() => rm(folder, { recursive: true }));
    const broken = path.join(folder, 'broken');
    const host = await start(test, [], { BROKEN_IF: broken });
    const [pid = 0] = await workersOf(host, 1);
    await writeFile(broken, '');
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), PATIENCE);
    const asked = performance.now();
    const response = await fetch(`${host.url}/api/count`);
    expect([response.status, await response.text()]).toEqual([503, 'Function host is not running.']);
    expect(performance.now() - asked).toBeGreaterThan(29_900);
    const refusal = /A worker cannot start\. The app's file .* failed: Error: broken from now on/;
    await vi.waitFor(() => expect(host.output()).toMatch(refusal), PATIENCE);
    await rm(broken);
    expect((await ask(host, 'count')).status).toBe(200);
  }, 90_000);
});

describe.concurrent('a worker that hangs', () => {
  it('is killed and replaced, while the others answer', async (test) => {
    const host = await start(test, ['--workers', '2']);
    const pids = await workersOf(host, 2);
    await expect(ask(host, 'block')).rejects.toThrow();
    const [blocked = 0] = pidsOf(host, 'block');
    const killed = `Worker ${blocked} has not answered for 5 s: it is killed.`;
    await vi.waitFor(() => expect(host.output()).toContain(killed), PATIENCE);
    const survivors = await workersOf(host, 2);
    expect(survivors).not.toContain(blocked);
    expect(pids.filter((pid) => survivors.includes(pid))).toHaveLength(1);
  });

  it('keeps no connection from being answered by another', async (test) => {
    const host = await start(test, ['--workers', '2']);
    await workersOf(host, 2);
    const hanging = ask(host, 'block').catch(() => undefined);
    await vi.waitFor(() => expect(reportsOf(host, 'block')).toHaveLength(1), PATIENCE);
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => ask(host, 'count')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await hanging;
  });
});

describe.concurrent('a function that outlives functionTimeout', () => {
  it('fails with 500 at once; its worker is killed with all that runs in it, and replaced', async (test) => {
    const host = await start(test, ['--workers', '2']);
    const pids = await workersOf(host, 2);
    const never = ask(host, 'never');
    await vi.waitFor(() => expect(reportsOf(host, 'never')).toHaveLength(1), PATIENCE);
    const [doomed = 0] = pidsOf(host, 'never');
    // Begun later, so that their own time is not over yet.
    await electedOf(host);
    await electedOf(host);
    const held = [1, 2].map(() => ask(host, 'hold').catch(() => undefined));
    expect((await never).status).toBe(500);
    const exceeded = "Timeout value of 3000 ms exceeded by function 'do'";
    await vi.waitFor(() => expect(host.output()).toContain(exceeded), PATIENCE);
    await vi.waitFor(() => expect(isAlive(doomed)).toBe(false), PATIENCE);
    host.send({ type: 'let go' });
    const survivor = pids.find((pid) => pid !== doomed);
    const answers = (await Promise.all(held)).map((answer) => answer?.body?.pid);
    expect(new Set(answers)).toEqual(new Set([undefined, survivor]));
    expect(await workersOf(host, 2)).not.toContain(doomed);
  });
});

describe.concurrent('the listeners', () => {
  it('run in one worker only, and in another as soon as that one is gone', async (test) => {
    const host = await start(test, ['--workers', '3']);
    const first = await electedOf(host);
    await electedOf(host);
    expect(new Set(pidsOf(host, 'tick'))).toEqual(new Set([first]));
    process.kill(first, 'SIGKILL');
    await vi.waitFor(() => expect(isAlive(first)).toBe(false), PATIENCE);
    const before = reportsOf(host, 'tick').length;
    const second = await electedOf(host);
    await electedOf(host);
    expect(new Set(pidsOf(host, 'tick').slice(before))).toEqual(new Set([second]));
    expect(second).not.toBe(first);
  });

  it('stay with a worker that has outlived functionTimeout until it is dead', async (test) => {
    const host = await start(test);
    const first = await electedOf(host);
    expect((await ask(host, 'never')).status).toBe(500);
    await vi.waitFor(() => expect(pidsOf(host, 'tick').at(-1)).not.toBe(first), PATIENCE);
    expect(isAlive(first)).toBe(false);
    const order = pidsOf(host, 'tick');
    expect(order.lastIndexOf(first)).toBeLessThan(order.findIndex((pid) => pid !== first));
  });
});

describe.concurrent('draining', () => {
  it('stops the listeners, lets run what runs in any worker, and tells how much that is', async (test) => {
    const host = await start(test, ['--workers', '2']);
    await electedOf(host);
    const none = { outstandingInvocations: 0, outstandingRetries: 0 };
    const held = [1, 2].map(() => ask(host, 'hold'));
    await vi.waitFor(() => expect(new Set(pidsOf(host, 'hold')).size).toBe(2), PATIENCE);
    expect(await drainStatus(host)).toEqual({ ...none, state: 'Disabled', outstandingInvocations: 2 });
    expect((await ask(host, '/admin/host/drain', 'POST')).status).toBe(202);
    expect(await drainStatus(host)).toMatchObject({ state: 'InProgress', outstandingInvocations: 2 });
    const ticks = reportsOf(host, 'tick').length;
    host.send({ type: 'let go' });
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
    await vi.waitFor(
      async () => expect(await drainStatus(host)).toEqual({ ...none, state: 'Completed' }),
      PATIENCE,
    );
    // HTTP goes on; a successor of a worker that dies starts no listeners either.
    const [pid = 0] = await workersOf(host, 2);
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), PATIENCE);
    await workersOf(host, 2);
    expect(await drainStatus(host)).toEqual({ ...none, state: 'Completed' });
    expect(reportsOf(host, 'tick')).toHaveLength(ticks);
  });

  it('counts functions that wait to be tried again', async (test) => {
    const host = await start(test);
    expect((await ask(host, '/admin/functions/fails', 'POST', '{}')).status).toBe(202);
    const status = { state: 'Disabled', outstandingInvocations: 0, outstandingRetries: 1 };
    await vi.waitFor(async () => expect(await drainStatus(host)).toEqual(status), PATIENCE);
  });
});

describe.concurrent('the end of the host', () => {
  it('on SIGTERM lets every worker finish what runs in it', async (test) => {
    const host = await start(test, ['--workers', '2']);
    const pids = await workersOf(host, 2);
    const held = [1, 2].map(() => ask(host, 'hold'));
    await vi.waitFor(() => expect(new Set(pidsOf(host, 'hold')).size).toBe(2), PATIENCE);
    host.signal('SIGTERM');
    await vi.waitFor(() => expect(ask(host, 'count')).rejects.toThrow(), PATIENCE);
    host.send({ type: 'let go' });
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
    expect(await host.exited).toBe(0);
    expect(pids.some(isAlive)).toBe(false);
  });

  it('by SIGKILL takes the workers with it, even one that hangs', async (test) => {
    const host = await start(test, ['--workers', '2']);
    const pids = await workersOf(host, 2);
    const blocked = ask(host, 'block').catch(() => undefined);
    await vi.waitFor(() => expect(reportsOf(host, 'block')).toHaveLength(1), PATIENCE);
    host.signal('SIGKILL');
    await vi.waitFor(() => expect(pids.some(isAlive)).toBe(false), PATIENCE);
    await blocked;
  });

  it('is the same when its parent is gone', async (test) => {
    const host = await start(test, ['--workers', '2']);
    const pids = await workersOf(host, 2);
    const blocked = ask(host, 'block').catch(() => undefined);
    await vi.waitFor(() => expect(reportsOf(host, 'block')).toHaveLength(1), PATIENCE);
    host.disconnect();
    expect(await host.exited).toBe(1);
    await vi.waitFor(() => expect(pids.some(isAlive)).toBe(false), PATIENCE);
    await blocked;
  });
});
