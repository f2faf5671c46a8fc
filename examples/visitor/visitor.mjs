import { setTimeout as sleep } from 'node:timers/promises';
import { joinSkerry } from '../member.mjs';

let visits = 0;
let lastGreeting;

const member = await joinSkerry('visitor', {
  '/visits': async () => ({ visits, lastGreeting }),
});

for (;;) {
  try {
    const greeter = await member.find('greeter');
    const response = await fetch(`${greeter}/greet?name=${encodeURIComponent(member.config.name)}`, {
      signal: AbortSignal.timeout(2000),
    });
    const { text } = await response.json();
    visits += 1;
    if (text !== lastGreeting) {
      console.log(`${member.id} was greeted: ${text}`);
    }
    lastGreeting = text;
  } catch (error) {
    console.error(`${member.id} found nobody at home: ${error.message}`);
  }
  await sleep(1000 * member.config.everySeconds);
}
