import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type HostProcess, startHost } from './host-process.ts';

let host: HostProcess;
let state: string;

const HOUR = 3_600_000;

beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'host-state-'));
  const lastRun = Math.floor(Date.now() / HOUR) * HOUR - 3 * HOUR;
  const status = { last: lastRun, next: lastRun + HOUR, lastUpdated: lastRun };
  await mkdir(path.join(state, 'timers'));
  await writeFile(path.join(state, 'timers/hourly.json'), JSON.stringify(status));
  host = await startHost('timer', { HOURLY: '0 0 * * * *', SKERRY_HOST_STATE: state, TZ: 'UTC' });
});

afterAll(async () => {
  await host.kill();
  await rm(state, { recursive: true });
});

const reportsOf = (name: string) => host.reports.filter((report) => report.name === name);

it('fires each second, without a status as Azure keeps none for so frequent a timer', async () => {
  await vi.waitFor(() => expect(reportsOf('everySecond').length).toBeGreaterThanOrEqual(2), 45_000);
  expect(reportsOf('everySecond')[0]?.timer).toEqual({
    schedule: { adjustForDST: true },
    scheduleStatus: null,
    isPastDue: false,
  });
});

it('makes up once for what it missed while the host was away, and says so', async () => {
  await vi.waitFor(() => expect(reportsOf('hourly')).toHaveLength(1), 45_000);
  const date = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:00:00\+00:00$/);
  expect(reportsOf('hourly')[0]?.timer).toEqual({
    schedule: { adjustForDST: true },
    scheduleStatus: { last: date, next: date, lastUpdated: date },
    isPastDue: true,
  });
});

it('fires at the start if it is to', async () => {
  await vi.waitFor(() => expect(reportsOf('atStart')).toHaveLength(1), 45_000);
  const never = { last: '0001-01-01T00:00:00+00:00' };
  expect(reportsOf('atStart')[0]?.timer).toMatchObject({ isPastDue: false, scheduleStatus: never });
});

it("can be fired by hand, with host.json's retry policy and one id for all attempts", async () => {
  const response = await fetch(`${host.url}/admin/functions/failing`, {
    method: 'POST',
    body: '{"input":""}',
  });
  expect(response.status).toBe(202);
  await vi.waitFor(() => expect(reportsOf('failing')).toHaveLength(2), 45_000);
  const [first, second] = reportsOf('failing');
  expect(first?.retry).toEqual({ retryCount: 0, maxRetryCount: 1 });
  const exception = expect.objectContaining({ message: 'fails each time' });
  expect(second?.retry).toEqual({ retryCount: 1, maxRetryCount: 1, exception });
  expect(second?.id).toBe(first?.id);
});

it('cannot be fired by a name that no function has', async () => {
  expect((await fetch(`${host.url}/admin/functions/nobody`, { method: 'POST' })).status).toBe(404);
});
