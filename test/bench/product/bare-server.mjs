// The floor: node:http answering the same bytes as the functions, with nothing in between.
import { createServer } from 'node:http';

const body = process.env.BENCH_BODY ?? '';
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => process.send?.({ url: `http://127.0.0.1:${server.address().port}` }));
process.once('disconnect', () => process.exit());
