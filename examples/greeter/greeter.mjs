import { z } from 'zod';
import { fetchFrom } from '../fetch-from.mjs';
import { joinSkerry } from '../member.mjs';

const { config, discover, serve } = await joinSkerry('greeter', z.object({ greeting: z.string().min(1) }));

const visitors = discover('visitor');

await serve({
  '/greet': async (url) => ({ text: `${config.value.greeting}, ${url.searchParams.get('name')}!` }),
  '/visits': async () => await fetchFrom(visitors, '/visits'),
});
