import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { fetchFrom } from '../fetch-from.mjs';
import { joinSkerry } from '../member.mjs';

const schema = z.object({ name: z.string(), everySeconds: z.number().positive() });
const { config, discover, serve } = await joinSkerry('visitor', schema);

let visits = 0;
let lastGreeting;

await serve({
  '/visits': async () => ({ visits, lastGreeting }),
});

const greeters = discover('greeter');
await greeters.ready;
for (;;) {
  const { name, everySeconds } = config.value;
  try {
    const { text } = await fetchFrom(greeters, `/greet?name=${encodeURIComponent(name)}`);
    visits += 1;
    if (text !== lastGreeting) {
      console.log(`The visitor was greeted: ${text}`);
    }
    lastGreeting = text;
  } catch (error) {
    console.error(`The visitor found nobody at home: ${error.message}`);
  }
  await sleep(1000 * everySeconds);
}
