import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claimDataFolder } from '../../../infra/local/launch/data-folder.ts';
import { identifyProcess, isRunning } from '../../../infra/local/launch/process-identity.ts';

let folder: string;
let lockFile: string;
const processes: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-test-'));
  lockFile = path.join(folder, 'lock.json');
});

afterEach(async () => {
  for (const other of processes.splice(0)) other.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function otherProcess(): Promise<{ pid: number; end: () => Promise<void> }> {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  processes.push(other);
  await once(other, 'spawn');
  const { pid } = other;
  if (pid === undefined) throw new Error('no process');
  return {
    pid,
    async end() {
      other.kill('SIGKILL');
      await once(other, 'exit');
    },
  };
}

describe('a data folder', () => {
  test('is created, and free again after its release', async () => {
    const location = path.join(folder, 'new', 'data');
    const claimed = await claimDataFolder(location);
    expect(claimed).toMatchObject({ path: location, temporary: false });
    await claimed.release();
    expect(await readdir(location)).toEqual([]);
    await (await claimDataFolder(location)).release();
  });

  test.each([
    ['below a file', 'file/data'],
    ['that is a file', 'file'],
  ])('%s is refused with a reason', async (_, place) => {
    await writeFile(path.join(folder, 'file'), '');
    await expect(claimDataFolder(path.join(folder, place))).rejects.toThrow(/cannot be used: .*--data/);
  });

  test.runIf(process.platform === 'linux')(
    'where none can be made is refused, and not tried for ever',
    async () => {
      await expect(claimDataFolder('/proc/skerry/data')).rejects.toThrow(/cannot be used/);
    },
  );

  test('in use is refused with the pid of the process that uses it', async () => {
    const other = await otherProcess();
    await writeFile(lockFile, JSON.stringify({ owner: identifyProcess(other.pid), children: [] }));
    await expect(claimDataFolder(folder)).rejects.toThrow(`in use by process ${other.pid}`);
    expect(existsSync(lockFile)).toBe(true);
  });

  test('of a killed run is taken over', async () => {
    const other = await otherProcess();
    await writeFile(lockFile, JSON.stringify({ owner: identifyProcess(other.pid), children: [] }));
    await other.end();
    await claimDataFolder(folder);
    expect(JSON.parse(await readFile(lockFile, 'utf8')).owner.pid).toBe(process.pid);
    expect(await readdir(folder)).toEqual(['lock.json']);
  });

  test.runIf(process.platform === 'linux')(
    'is not held by a process that was given the pid later',
    async () => {
      const other = await otherProcess();
      await writeFile(lockFile, JSON.stringify({ owner: { pid: other.pid, startedAt: '1' }, children: [] }));
      await expect(claimDataFolder(folder)).resolves.toBeDefined();
    },
  );

  test('of a killed run is taken over only once the children of that run have ended', async () => {
    const [owner, child] = await Promise.all([otherProcess(), otherProcess()]);
    const lock = { owner: identifyProcess(owner.pid), children: [identifyProcess(child.pid)] };
    await writeFile(lockFile, JSON.stringify(lock));
    await owner.end();
    const claim = claimDataFolder(folder).then(() => isRunning(lock.children[0] ?? lock.owner));
    await child.end();
    expect(await claim).toBe(false);
  });

  test('records the children that are still running', async () => {
    const claimed = await claimDataFolder(folder);
    const [ended, running] = await Promise.all([otherProcess(), otherProcess()]);
    claimed.recordChild(ended.pid);
    await ended.end();
    claimed.recordChild(running.pid);
    expect(JSON.parse(await readFile(lockFile, 'utf8')).children).toEqual([identifyProcess(running.pid)]);
  });

  test('goes to one of several runs that take over the same stale lock', async () => {
    const other = await otherProcess();
    await writeFile(lockFile, JSON.stringify({ owner: identifyProcess(other.pid), children: [] }));
    await other.end();
    const module = path.resolve('infra/local/launch/data-folder.ts');
    const claim = `
      const { claimDataFolder } = await import(${JSON.stringify(module)});
      process.on('message', async () => {
        try { await claimDataFolder(${JSON.stringify(folder)}); process.send('claimed'); }
        catch { process.send('refused'); }
      });
      process.send('waiting');`;
    const runs = Array.from({ length: 4 }, () => {
      const run = spawn(process.execPath, ['--input-type=module', '-e', claim], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      processes.push(run);
      return run;
    });
    await Promise.all(runs.map((run) => once(run, 'message')));
    const answers = Promise.all(runs.map((run) => once(run, 'message')));
    for (const run of runs) run.send('go');
    expect((await answers).flatMap(([answer]) => answer).sort()).toEqual([
      'claimed',
      'refused',
      'refused',
      'refused',
    ]);
  });

  test('that is temporary is removed at the end, or by the next run when its own was killed', async () => {
    const claimed = await claimDataFolder(undefined);
    expect(claimed.temporary).toBe(true);
    await claimed.release();
    expect(existsSync(claimed.path)).toBe(false);

    const other = await otherProcess();
    const abandoned = await mkdtemp(path.join(os.tmpdir(), 'skerry-data-'));
    const lock = { owner: identifyProcess(other.pid), children: [] };
    await writeFile(path.join(abandoned, 'lock.json'), JSON.stringify(lock));
    await (await claimDataFolder(undefined)).release();
    expect(existsSync(abandoned)).toBe(true);
    await other.end();
    await (await claimDataFolder(undefined)).release();
    expect(existsSync(abandoned)).toBe(false);
  });
});
