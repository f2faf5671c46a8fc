import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ReceivedWebhook } from './webhook-receiver.ts';

/** Skerry waits 15 s for an answer. */
const LONGEST_MILLISECONDS = 14_000;

/**
 * Runs a command of the shell with the body on its standard input, and `WEBHOOK_ID` in its environment.
 *
 * @param out the file descriptor that its output goes to.
 * @returns whether it ended with 0, and in time.
 */
export async function runForWebhook(
  command: string,
  { body, delivery = '' }: ReceivedWebhook,
  out: number,
): Promise<boolean> {
  const child = spawn(command, {
    shell: true,
    stdio: ['pipe', out, 2],
    env: { ...process.env, WEBHOOK_ID: delivery },
    timeout: LONGEST_MILLISECONDS,
  });
  // It need not read what it is told.
  child.stdin?.on('error', () => {}).end(body);
  try {
    const [code] = await once(child, 'exit');
    return code === 0;
  } catch {
    return false;
  }
}
