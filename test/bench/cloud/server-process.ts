import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Usage } from './usage.ts';

/** An emulator or a stub in a process of its own, whose program calls `reportToBench`. */
export class ServerProcess {
  readonly connectionString: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, connectionString: string) {
    this.#child = child;
    this.connectionString = connectionString;
  }

  /** @param program a file of this folder */
  static async start(program: string, commandLine: readonly string[]): Promise<ServerProcess> {
    const child = fork(path.join(import.meta.dirname, program), commandLine, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    return new ServerProcess(child, await nextMessage<string>(child));
  }

  async readUsage(): Promise<Usage> {
    const usage = nextMessage<Usage>(this.#child);
    this.#child.send('usage');
    return await usage;
  }

  /** Has the Cosmos DB stub refuse what it cannot answer from memory. */
  seal(): void {
    this.#child.send('seal');
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}

async function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  const settled = new AbortController();
  const { signal } = settled;
  try {
    const [message] = await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(([code]) => {
        throw new Error(`${child.spawnargs.slice(1).join(' ')} ended with exit code ${code}.`);
      }),
    ]);
    return message as Message;
  } finally {
    settled.abort();
  }
}
