import { describe, expect, it } from 'vitest';
import { selfEndpoints } from '../../../functions/http/controller/self.ts';
import type { ReadinessReport } from '../../../shared/platform/readiness.ts';
import { caller } from '../platform/http/call.ts';

const NOW = Date.parse('2026-03-04T05:06:07.890Z');
const JSON_TYPE = 'application/json';
const XML_TYPE = 'application/xml';

type Status = 'ready' | 'unready';

function report(cosmos: Status, blob: Status): ReadinessReport {
  return {
    status: cosmos === 'ready' && blob === 'ready' ? 'ready' : 'unready',
    dependencies: {
      cosmos: { status: cosmos, durationMs: 3 },
      serviceBus: { status: 'ready', durationMs: 4 },
      blob: { status: blob, durationMs: 5, ...(blob === 'unready' && { detail: 'failed with <ENOTFOUND>' }) },
    },
  };
}

/** Sends GET below `/api/v1/self/` to a service that finds itself so. */
async function get(
  path: string,
  accept: string | undefined,
  check = () => Promise.resolve(report('ready', 'ready')),
) {
  const services = { readiness: { check }, clock: { now: () => NOW } };
  const call = caller(selfEndpoints, { services });
  const headers = accept === undefined ? {} : { accept };
  const answer = await call(`api/v1/self/${path.split('?')[0]}`, `/api/v1/self/${path}`, { headers });
  return { status: answer.status, type: answer.headers['Content-Type'], text: answer.text };
}

describe("the controller's own endpoints", () => {
  it.each(['info', 'ping', 'liveliness', 'readiness', 'started'])(
    'tell %s as JSON and as XML, and to nobody who does not say which',
    async (path) => {
      const asJson = await get(path, 'Application/JSON; charset="utf-8"');
      expect(asJson).toMatchObject({ status: 200, type: 'application/json; charset=utf-8' });
      expect(() => JSON.parse(asJson.text)).not.toThrow();

      const asXml = await get(path, XML_TYPE);
      expect(asXml).toMatchObject({ status: 200, type: 'application/xml; charset=utf-8' });
      expect(asXml.text).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<(\w+)>.*<\/\1>$/);

      for (const accept of [
        undefined,
        '*/*',
        'application/*',
        `${JSON_TYPE}, ${XML_TYPE}`,
        `${JSON_TYPE};q`,
      ]) {
        expect(await get(path, accept), accept).toMatchObject({
          status: 415,
          type: 'text/plain; charset=utf-8',
        });
      }
    },
  );

  it('pong at the time that it is', async () => {
    expect(JSON.parse((await get('ping', JSON_TYPE)).text)).toEqual({
      response: 'Pong - 2026-03-04T05:06:07Z',
    });
  });

  it("name XML elements by the source's types and fields", async () => {
    const { text } = await get('liveliness', XML_TYPE, () => Promise.resolve(report('ready', 'unready')));
    expect(text.split('\n')[1]).toBe(
      '<livelinessSummaryResponse><Checks><Name>cosmos</Name><Status>success</Status></Checks><Checks><Name>serviceBus</Name><Status>success</Status></Checks><Checks><Name>blob</Name><Status>failed</Status></Checks><Status>failed</Status><Timestamp>2026-03-04T05:06:07Z</Timestamp></livelinessSummaryResponse>',
    );
    const detailed = await get('liveliness?type=detailed', XML_TYPE, () =>
      Promise.resolve(report('ready', 'unready')),
    );
    expect(detailed.text).toContain('<Description>It does not: failed with &lt;ENOTFOUND&gt;.</Description>');
  });

  it('are as healthy as all that they depend on, and say so by 200 and 500', async () => {
    for (const path of ['liveliness', 'readiness', 'liveliness?type=nonsense']) {
      const well = await get(path, JSON_TYPE);
      const ill = await get(path, JSON_TYPE, () => Promise.resolve(report('unready', 'ready')));
      const checks = (cosmos: string) => [
        { name: 'cosmos', status: cosmos },
        { name: 'serviceBus', status: 'success' },
        { name: 'blob', status: 'success' },
      ];
      const time = '2026-03-04T05:06:07Z';
      expect([well.status, JSON.parse(well.text)]).toEqual([
        200,
        { checks: checks('success'), status: 'success', time },
      ]);
      expect([ill.status, JSON.parse(ill.text)]).toEqual([
        500,
        { checks: checks('failed'), status: 'failed', time },
      ]);
    }
  });

  it('tell in detail when each check was made', async () => {
    const { status, text } = await get('liveliness?type=detailed', JSON_TYPE);
    expect(status).toBe(200);
    expect(JSON.parse(text).checks[0]).toEqual({
      description: 'It answered within 3 ms.',
      name: 'cosmos',
      status: 'success',
      timestamp: '2026-03-04T05:06:07Z',
    });
  });

  it.each(['liveliness', 'liveliness?type=detailed', 'readiness'])(
    'fail at %s with no checks where not even that can be asked',
    async (path) => {
      const { status, text } = await get(path, JSON_TYPE, () => Promise.reject(new Error('no settings')));
      expect(status).toBe(500);
      expect(JSON.parse(text)).toMatchObject({ checks: [], status: 'failed' });
    },
  );
});
