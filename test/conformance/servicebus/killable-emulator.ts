import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ServiceBusClient } from '@azure/service-bus';

/** The emulator in a process of its own and on a folder that outlives it. */
export class KillableEmulator {
  readonly #dataFolder: string;
  #process: ChildProcess | undefined;
  #connectionString = '';
  readonly #clients: ServiceBusClient[] = [];

  private constructor(dataFolder: string) {
    this.#dataFolder = dataFolder;
  }

  static async create(): Promise<KillableEmulator> {
    return new KillableEmulator(await mkdtemp(join(tmpdir(), 'service-bus-test-')));
  }

  /** Kills it if it runs, starts it, and connects to it. */
  async restart(): Promise<ServiceBusClient> {
    await this.kill();
    const script = join(import.meta.dirname, 'emulator-process.ts');
    const child = spawn(process.execPath, [script, this.#dataFolder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    const [connectionString] = await once(createInterface(child.stdout), 'line');
    this.#connectionString = String(connectionString);
    return this.connect();
  }

  /** A client that never tries again. */
  connect(): ServiceBusClient {
    const retryOptions = { maxRetries: 0, timeoutInMs: 1_000 };
    const client = new ServiceBusClient(this.#connectionString, { retryOptions });
    this.#clients.push(client);
    return client;
  }

  /** `kill -9`, while its clients are at work. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    // What the SDK still waits for when its connection has gone may take it a minute to give up.
    for (const client of this.#clients.splice(0)) void client.close();
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#dataFolder, { recursive: true, force: true });
  }
}
