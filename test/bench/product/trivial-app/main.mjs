// The least that a function can do; what it answers comes from the bench, so that all variants send the same bytes.
import { app } from '@azure/functions';

app.setup({ enableHttpStream: process.env.BENCH_STREAM === '1' });

const body = process.env.BENCH_BODY ?? '';

app.http('trivial', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'trivial',
  handler: () => ({ status: 200, headers: { 'content-type': 'application/json' }, body }),
});
