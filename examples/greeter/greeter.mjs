import { joinSkerry } from '../member.mjs';

const member = await joinSkerry('greeter', {
  '/greet': async (url) => ({ text: `${member.config.greeting}, ${url.searchParams.get('name')}!` }),
  '/visits': async () => {
    const visitor = await member.find('visitor');
    const response = await fetch(`${visitor}/visits`, { signal: AbortSignal.timeout(2000) });
    return await response.json();
  },
});
