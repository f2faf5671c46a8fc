/** A process that POSTs by undici and does nothing else: the floor under webhooks. It is told what by a message, and tells what it took. */
import { Agent, request } from 'undici';
import type { BareRound, BareWork } from './bare-loop.ts';

const dispatcher = new Agent({ keepAliveTimeout: 60_000 });

process.on('message', (work: BareWork) => {
  void postAll(work).then((round) => process.send?.(round));
});
process.once('disconnect', () => process.exit());

async function postAll({ urls, headers, body, concurrency }: BareWork): Promise<BareRound> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  let next = 0;
  const work = async () => {
    for (let url = urls[next++]; url !== undefined; url = urls[next++]) {
      const answer = await request(url, { method: 'POST', headers, body, dispatcher });
      await answer.body.dump();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  const { user, system } = process.cpuUsage(before);
  return { milliseconds: performance.now() - startedAt, cpuMicroseconds: user + system };
}
