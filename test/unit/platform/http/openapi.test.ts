import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { endpoints } from '../../../../functions/http/endpoints.ts';
import { conflict, preconditionFailed } from '../../../../shared/platform/errors.ts';
import { describeApi } from '../../../../shared/platform/http/index.ts';
import { errorResponse } from '../../../../shared/platform/http/problem.ts';
import { historyCompacted } from '../../../../shared/records/history/head.ts';

type JsonObject = Record<string, unknown>;

const document = JSON.parse(JSON.stringify(describeApi(endpoints)));

function* nodes(value: unknown, path = '#'): Generator<[string, JsonObject]> {
  if (typeof value === 'object' && value !== null) {
    if (!Array.isArray(value)) {
      yield [path, value as JsonObject];
    }
    for (const [name, member] of Object.entries(value)) {
      yield* nodes(member, `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    }
  }
}

const places = new Map(nodes(document));

describe('the API description', () => {
  it('is OpenAPI 3.1', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({ title: 'Skerry', version: expect.any(String) });
    for (const path of Object.keys(document.paths)) {
      expect(path).toMatch(/^\/[^?*]*$/);
    }
  });

  it('holds every endpoint, once', () => {
    const operations = [...places].filter(([, node]) => 'operationId' in node);
    const ids = operations.map(([, { operationId }]) => operationId);
    expect(ids.toSorted()).toEqual(endpoints.map(({ name }) => name).toSorted());
  });

  it.each(endpoints.map((endpoint) => [endpoint.name, endpoint] as const))(
    'describes %s completely',
    (_name, { route, method, surface, body, responses }) => {
      const path = `/${route.text.replace('{*', '{')}`;
      const operation = document.paths[path][method.toLowerCase()];
      expect(operation.summary).toMatch(/\w/);
      const described = operation.parameters.filter((parameter: JsonObject) => parameter.in === 'path');
      expect(described.map((parameter: JsonObject) => parameter.name)).toEqual(route.parameters);
      expect(described.every((parameter: JsonObject) => parameter.required === true)).toBe(true);
      expect('requestBody' in operation).toBe(body !== undefined);
      const statuses = Object.keys(operation.responses);
      expect(statuses).toEqual(expect.arrayContaining([...Object.keys(responses), '400', '500']));
      for (const status of statuses.filter((status) => status >= '400' && !(status in responses))) {
        const form = surface === 'canonical' ? 'Problem' : 'Reason';
        expect(operation.responses[status]).toEqual({ $ref: `#/components/responses/${form}` });
      }
    },
  );

  it('says what callers have to be allowed', () => {
    const { paths } = document;
    const inPath = paths['/api/v1/apps/{name}'].put;
    expect(inPath['x-skerry-access']).toEqual({ verb: 'write', keys: '/app/{name}' });
    expect(inPath.security).toEqual([{ token: [] }]);
    expect(Object.keys(inPath.responses)).toEqual(expect.arrayContaining(['401', '403', '404']));
    expect(paths['/api/v1/kv-transactions/{store}'].post['x-skerry-access']).toEqual({
      verb: 'write',
      keys: '/kv/{store}/',
      byContent: true,
    });
    expect(paths['/app/{name}'].get.security).toEqual([{}, { token: [] }]);
    expect(paths['/api/v1/openapi.json'].get).toMatchObject({ security: [{ token: [] }] });
    const probe = paths['/api/v1/health/live'].get;
    expect([probe.security, probe['x-skerry-access'], probe.responses['401']]).toEqual([
      [],
      undefined,
      undefined,
    ]);
  });

  it('covers what problems tell further', () => {
    const isProblem = new Ajv2020({ strict: false, validateFormats: false }).compile(
      document.components.schemas.Problem,
    );
    const leader = { candidate: 'a', token: 1, expiresAt: '2026-01-01T00:00:00.000Z' };
    for (const error of [
      historyCompacted({ compactedTo: 3, compactedUntil: '' }, 4),
      conflict('There is a leader.', { extensions: { leader } }),
      preconditionFailed('No.'),
    ]) {
      const problem = JSON.parse(String(errorResponse(error, 'canonical', 'req_1').body));
      expect(isProblem(problem), JSON.stringify(isProblem.errors)).toBe(true);
      expect(Object.keys(document.components.schemas.Problem.properties)).toEqual(
        expect.arrayContaining(Object.keys(problem)),
      );
    }
  });

  it('tells that reads can be guarded too', () => {
    for (const { name, route, method, requestHeaders } of endpoints) {
      if (requestHeaders.includes('If-None-Match')) {
        const path = `/${route.text.replace('{*', '{')}`;
        expect(Object.keys(document.paths[path][method.toLowerCase()].responses), name).toContain('412');
      }
    }
  });

  it('takes and gives content of any type for a key', () => {
    const { put, get } = document.paths['/api/v1/kv/{store}/{key}'];
    expect(put.requestBody.content).toEqual({ '*/*': {} });
    expect(Object.keys(get.responses[200].content)).toEqual(['application/json', '*/*']);
  });

  it('says where a body may be left out', () => {
    const isRequired = (path: string) => document.paths[path].post.requestBody.required;
    expect(isRequired('/api/v1/subscriptions')).toBe(true);
    expect(isRequired('/api/v1/subscriptions/{id}/rotate-secret')).toBe(false);
  });

  it('refers only to what it holds', () => {
    const references = [...places].flatMap(([, node]) => ('$ref' in node ? [node.$ref] : []));
    expect(references.length).toBeGreaterThan(0);
    for (const reference of references) {
      expect(places.has(String(reference)), String(reference)).toBe(true);
    }
  });

  it('shows that canonical bodies refuse unknown fields', () => {
    for (const { name, surface, route, method } of endpoints) {
      const path = `/${route.text.replace('{*', '{')}`;
      const operation = document.paths[path][method.toLowerCase()];
      if (surface === 'canonical') {
        for (const [place, node] of nodes(operation.requestBody)) {
          if (node.type === 'object' && 'properties' in node) {
            expect('additionalProperties' in node, `${name} ${place}`).toBe(true);
          }
        }
      }
    }
  });

  it('describes the parameters of a listing as what they are', () => {
    const { parameters } = document.paths['/api/v1/apps'].get;
    const limit = parameters.find(({ name }: JsonObject) => name === 'limit');
    expect(limit.schema).toMatchObject({ type: 'integer', minimum: 1, maximum: 1000 });
    expect(parameters).toContainEqual({ $ref: '#/components/parameters/ns' });
  });
});
