import { expect, it } from 'vitest';
import { logLine } from '../../../../shared/platform/telemetry/log-line.ts';

it('is one line of JSON, with the error and what caused it', () => {
  const error = new Error('It broke.', { cause: new Error('The wire\nis cut.') });
  const line = logLine('error', ['Request req_1 failed', error], {
    function: 'http-apps',
    requestId: 'req_1',
  });
  expect(line).not.toContain('\n');
  expect(JSON.parse(line)).toEqual({
    level: 'error',
    message: 'Request req_1 failed',
    function: 'http-apps',
    requestId: 'req_1',
    error: expect.stringMatching(/^Error: It broke\.\n.*caused by Error: The wire\nis cut\./s),
  });
});

it('takes whatever was thrown', () => {
  const circular = new Error('It broke.');
  circular.cause = new Error('The wire is cut.', { cause: circular });
  const line = JSON.parse(logLine('error', ['It failed:', { left: 1n }, circular]));
  expect(line.message).toBe('It failed: { left: 1n }');
  expect(line.error.match(/It broke\.|The wire is cut\./g)).toEqual(['It broke.', 'The wire is cut.']);
});

it.each([
  ['a token', `skt_${'a1-_'.repeat(10)}abc`],
  ['a key of an account', 'AccountEndpoint=https://x/;AccountKey=c2VjcmV0c2VjcmV0;'],
  ['a key of a bus', 'Endpoint=sb://x;SharedAccessKey=c2VjcmV0c2VjcmV0'],
  ['a signed URL', 'https://x/bundles/a?se=1&sig=c2VjcmV0c2VjcmV0&sp=r'],
  ['a header', 'Authorization: Bearer c2VjcmV0c2VjcmV0'],
  ['credentials in a URL', 'https://user:c2VjcmV0c2VjcmV0@host/'],
])('does not tell %s', (_what, text) => {
  const line = logLine('error', [`It was ${text}`, new Error(text)]);
  expect(line).toContain('***');
  expect(line).not.toMatch(/c2VjcmV0|a1-_a1/);
});
