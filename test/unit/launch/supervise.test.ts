import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ChildProgram, startChildProgram } from '../../../infra/local/launch/child-program.ts';
import { isRunning } from '../../../infra/local/launch/process-identity.ts';
import { supervise } from '../../../infra/local/launch/supervise.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-test-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const READY = "process.send({ type: 'ready', url: 'http://127.0.0.1:' + (process.argv[2] ?? '4321') });";
const STAY = "process.on('disconnect', () => process.exit(0)); setInterval(() => {}, 1000);";

async function writeProgram(source: string): Promise<void> {
  await writeFile(path.join(folder, 'program.mjs'), source);
}

function startProgram(...commandLine: string[]): ChildProgram {
  return startChildProgram({
    name: 'program',
    modulePath: path.join(folder, 'program.mjs'),
    commandLine,
    environment: process.env,
    stopMilliseconds: 300,
  });
}

describe('a child program', () => {
  test('tells where it answers and ends on request', async () => {
    await writeProgram(`${STAY} process.on('SIGTERM', () => process.exit(0)); ${READY}`);
    const program = startProgram();
    expect(await program.ready).toBe('http://127.0.0.1:4321');
    await program.stop();
    expect(await program.ended).toBe('exit code 0');
    await program.stop();
  });

  test('that ends before it is ready says how', async () => {
    await writeProgram('process.exit(3);');
    const program = startProgram();
    await expect(program.ready).rejects.toThrow('The program did not start (exit code 3)');
  });

  test('that does not end is killed', async () => {
    const complaints = vi.spyOn(console, 'error').mockReturnValue();
    await writeProgram(`${STAY} process.on('SIGTERM', () => {}); ${READY}`);
    const program = startProgram();
    await program.ready;
    await program.stop();
    expect(await program.ended).toBe('signal SIGKILL');
    expect(complaints).toHaveBeenCalledWith('The program did not end within 0.3 s and was killed.');
  });
});

describe('a supervised program', () => {
  test('that crashes is started again at the same address, and ends for good when stopped', async () => {
    const complaints = vi.spyOn(console, 'error').mockReturnValue();
    const news = vi.spyOn(console, 'log').mockReturnValue();
    await writeProgram(`${STAY} ${READY}`);
    const programs: ChildProgram[] = [];
    const supervised = supervise('program', (address) => {
      const program = address === undefined ? startProgram() : startProgram(address.port);
      programs.push(program);
      return program;
    });
    const url = await supervised.ready;
    process.kill(programs[0]?.pid ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(news).toHaveBeenCalledWith(`The program answers again at ${url}.`), 45_000);
    expect(complaints).toHaveBeenCalledWith('The program ended (signal SIGKILL); it is started again.');
    await supervised.stop();
    expect(programs).toHaveLength(2);
    expect(isRunning({ pid: programs[1]?.pid ?? 0 })).toBe(false);
  });

  test('that cannot start is not started again', async () => {
    await writeProgram('process.exit(3);');
    let starts = 0;
    const supervised = supervise('program', () => {
      starts += 1;
      return startProgram();
    });
    await expect(supervised.ready).rejects.toThrow('exit code 3');
    await supervised.stop();
    expect(starts).toBe(1);
  });

  test('that waits to be started again ends at once when stopped', async () => {
    vi.spyOn(console, 'error').mockReturnValue();
    await writeProgram(`${STAY} ${READY} setTimeout(() => process.exit(1), 20);`);
    let starts = 0;
    const supervised = supervise('program', () => {
      starts += 1;
      return startProgram();
    });
    await supervised.ready;
    const waiting = 'The program ended (exit code 1); it is started again in 1 s.';
    await vi.waitFor(() => expect(console.error).toHaveBeenCalledWith(waiting), 45_000);
    await supervised.stop();
    expect(starts).toBe(2);
  });
});
