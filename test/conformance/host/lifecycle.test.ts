import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type HostProcess, startHost } from './host-process.ts';

/** On a busy machine; sooner where it can be. */
const PATIENCE = { timeout: 45_000, interval: 20 };

async function start(fixture: string, environment?: Record<string, string>): Promise<HostProcess> {
  const host = await startHost(fixture, environment);
  onTestFinished(() => host.kill());
  return host;
}

const eventsOf = (host: HostProcess) => host.reports.map(({ event }) => event);

describe('hooks', () => {
  it('may replace inputs, handler, error and result, and share their data', async () => {
    const host = await start('lifecycle');
    const response = await fetch(`${host.url}/api/hooked`);
    expect(await response.json()).toEqual({
      thrown: 'replaced input',
      hookData: { seen: 'by both hooks' },
    });
  });
});

describe('a hook that throws', () => {
  it('fails the invocation before it, and counts for nothing in the log', async () => {
    const host = await start('lifecycle');
    expect((await fetch(`${host.url}/api/refused`)).status).toBe(500);
    await vi.waitFor(
      () => expect(host.output()).toMatch(/Functions\.refused' \(Failed, .*refused by a hook/),
      PATIENCE,
    );
    expect((await fetch(`${host.url}/api/throwing-log`)).status).toBe(200);
    await vi.waitFor(
      () => expect(host.output()).toContain('info Function.throwing-log.User: logged all the same'),
      PATIENCE,
    );
  });
});

describe('log hooks', () => {
  it("may change level and message of the app's own lines, but not of the system's", async () => {
    const host = await start('lifecycle');
    expect((await fetch(`${host.url}/api/logs`)).status).toBe(204);
    await vi.waitFor(
      () => expect(host.output()).toContain('info Function.logs.User: hooked as it is'),
      PATIENCE,
    );
    await vi.waitFor(() => {
      expect(host.output()).toContain('fail Function.logs.User: hooked make it an error');
      expect(host.output()).toContain('info Host.Worker: of the system');
    }, PATIENCE);
  });
});

describe('registration', () => {
  it('ends with the start', async () => {
    const host = await start('lifecycle');
    expect(await (await fetch(`${host.url}/api/late`)).text()).toContain('during app startup');
  });

  it('refuses what it does not know, as errors of the host', async () => {
    const host = await start('lifecycle');
    const systemError = (name: string, message: string) => ({
      name,
      message: expect.stringContaining(message) as string,
      isAzureFunctionsSystemError: true,
    });
    expect(await (await fetch(`${host.url}/api/core`)).json()).toEqual({
      readOnly: systemError('TypeError', "read only property 'hookData'"),
      duplicate: systemError('Error', '"kept" has already been registered'),
      removedHookRan: false,
      unknownHook: systemError('RangeError', 'Unrecognized hook "onWhim"'),
      lateFunction: systemError('Error', 'during app startup'),
      lateDispose: systemError('Error', 'during app startup'),
      lateSetup: systemError('Error', "can't be changed after app startup"),
    });
    expect((await fetch(`${host.url}/api/kept`)).status).toBe(204);
    expect((await fetch(`${host.url}/api/passing`)).status).toBe(404);
  });
});

describe('requests', () => {
  it('wait for room, and are turned away beyond the limit', async () => {
    const host = await start('lifecycle');
    const running = fetch(`${host.url}/api/held`);
    await vi.waitFor(() => expect(eventsOf(host)).toEqual(['held']), PATIENCE);
    const waiting = fetch(`${host.url}/api/late`);
    const status = async () => (await fetch(`${host.url}/api/late`)).status;
    await vi.waitFor(async () => expect(await status()).toBe(429), PATIENCE);
    const refused = await fetch(`${host.url}/api/nowhere`);
    expect([refused.status, refused.headers.get('x-function-scaleout'), await refused.text()]).toEqual([
      429,
      '1',
      '',
    ]);
    expect((await fetch(`${host.url}/admin/host/ping`)).status).toBe(200);
    host.send({ type: 'let go' });
    expect([(await running).status, (await waiting).status]).toEqual([200, 200]);
    await vi.waitFor(
      () => expect(host.output()).toContain('info Function.held.User: hooked holding'),
      PATIENCE,
    );
  });
});

describe('a host that is told to stop', () => {
  it.each(['SIGTERM', 'SIGINT', 'stop'] as const)(
    'by %s lets what runs finish, then runs the hooks and exits 0',
    async (how) => {
      const host = await start('lifecycle');
      const running = fetch(`${host.url}/api/held`);
      await vi.waitFor(() => expect(eventsOf(host)).toEqual(['held']), PATIENCE);
      if (how === 'stop') host.send({ type: 'stop' });
      else host.signal(how);
      await vi.waitFor(() => expect(fetch(`${host.url}/admin/host/ping`)).rejects.toThrow(), PATIENCE);
      host.send({ type: 'let go' });
      expect(await (await running).text()).toBe('let go');
      expect(await host.exited).toBe(0);
      expect(host.reports.at(-1)).toEqual({ type: 'report', event: 'appTerminate', started: true });
    },
  );
});

describe('an answer that is on its way when the host stops', () => {
  it('arrives whole', async () => {
    const host = await start('lifecycle');
    const response = await fetch(`${host.url}/api/large`);
    host.signal('SIGTERM');
    await vi.waitFor(() => expect(fetch(`${host.url}/admin/host/ping`)).rejects.toThrow(), PATIENCE);
    expect((await response.arrayBuffer()).byteLength).toBe(50_000_000);
    expect(await host.exited).toBe(0);
  });
});

describe('a host whose parent is gone', () => {
  it('exits at once, whatever runs', async () => {
    const host = await start('lifecycle');
    void fetch(`${host.url}/api/held`).catch(() => undefined);
    await vi.waitFor(() => expect(eventsOf(host)).toEqual(['held']), PATIENCE);
    host.disconnect();
    expect(await host.exited).toBe(1);
  });
});
