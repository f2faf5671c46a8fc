import type { InvocationContext } from '@azure/functions';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { takeCommand } from '../../../functions/servicebus/take-command.ts';
import { authorizeSender, operationIdOf } from '../../../shared/operations/index.ts';
import type { Json } from '../../../shared/records/index.ts';
import { type Api, startApi } from '../api-fixture.ts';
import { BOOTSTRAP_TOKEN, GUARDED } from './guarded-api.ts';

const hook = { name: 'all', key: '/', endpoint: 'https://example.com/hook' };

let api: Api;

beforeAll(async () => {
  api = await startApi({}, GUARDED);
});

afterAll(async () => {
  await api.stop();
});

function call(method: string, path: string, body?: unknown, by = BOOTSTRAP_TOKEN) {
  return api.call(method, path, body, { authorization: `Bearer ${by}` });
}

async function putRole(name: string, allow: readonly object[], members: readonly string[] = []) {
  expect(await call('PUT', `/roles/${name}`, { allow, members })).toMatchObject({ json: { name } });
}

async function newToken(role: string): Promise<{ id: string; token: string }> {
  return (await call('POST', '/tokens', { name: 'test', roles: [role] })).json;
}

it('lets somebody subscribe to what they may watch, in one namespace, and to nothing else, nor take a subscription over', async () => {
  await putRole('team', [
    { verbs: ['read', 'list', 'watch'], keys: ['/'], ns: ['team'] },
    { verbs: ['read', 'write'], keys: ['/hook'], ns: ['*'] },
  ]);
  const { id, token } = await newToken('team');
  const actor = `token:${id}`;
  const made = await call('POST', '/subscriptions?ns=team', hook, token);
  expect(made).toMatchObject({ status: 201, json: { createdBy: actor } });
  for (const key of ['/', '/app/one', '/srv/*/a']) {
    const refused = await call('POST', '/subscriptions?ns=default', { ...hook, key }, token);
    expect(refused).toMatchObject({ status: 404, json: { type: expect.stringContaining('not-found') } });
  }
  const theirs = await call('POST', '/subscriptions', hook);
  const [known, unknown] = await Promise.all(
    [theirs.json.id, 'sub_none'].map((one) => call('PUT', `/subscriptions/${one}`, hook, token)),
  );
  expect(known?.status).toBe(404);
  expect(known?.json.detail.replace(theirs.json.id, 'sub_none')).toBe(unknown?.json.detail);
  expect((await call('GET', `/subscriptions/${theirs.json.id}`)).json.createdBy).toBe('token:bootstrap');

  const mayRead = async () => (await api.services.callerOf({ actor })).may('read', 'team', '/kv/s/a');
  expect(await mayRead()).toBe(true);
  await call('DELETE', `/tokens/${id}`);
  expect(await mayRead()).toBe(false);
  const taken = await call('PUT', `/subscriptions/${made.json.id}?ns=team`, hook);
  expect(taken).toMatchObject({ status: 200, json: { createdBy: 'token:bootstrap' } });
});

it('does for a source on the bus, and for a token, what its roles allow of one environment alone', async () => {
  const allow = [{ verbs: ['read', 'write'], keys: ['/env/prod', '/tpl/net'], ns: ['default'] }];
  await putRole('deployer', allow, ['bus:/ci']);
  const { token } = await newToken('deployer');
  const { commandRules, callerOf } = api.services;
  const send = async (type: string, data: Json, source = '/ci') => {
    const known = commandRules.check({ type, data });
    await authorizeSender(known.rule, { ns: 'default', actor: `bus:${source}`, data: known.data }, callerOf);
  };
  const planned = { id: 'prod', destructionPlannedOn: '2090-01-01T00:00:00Z' };
  await send('environment.update', { environment: { id: 'prod', templates: [{ id: 'net' }] } });
  await send('resource.refresh', { environment: 'prod' });
  const refused: [string, Json, string, string?][] = [
    ['environment.update', { environment: { id: 'prod' } }, 'not-found', '/other'],
    ['environment.update', { environment: { id: 'other' } }, 'not-found'],
    ['environment.update', { environment: { id: 'prod', templates: [{ id: 'web' }] } }, 'not-found'],
    ['environment.update', { environment: planned }, 'forbidden'],
    ['environment.destroy', { environment: 'prod' }, 'forbidden'],
    ['action.run', { environment: 'other', action: 'net.open' }, 'not-found'],
    ['template.import', { id: 'web', bundle: 'b', path: 'a.json' }, 'not-found'],
    ['bundle.activate', { bundle: 'b', channel: 'stable', version: '1' }, 'not-found'],
  ];
  for (const [type, data, kind, source] of refused) {
    await expect(send(type, data, source)).rejects.toMatchObject({ kind });
  }

  const event = { specversion: '1.0', id: '1', source: '/ci', type: 'environment.destroy' };
  const destruction = { ...event, data: { environment: 'other' } };
  const overHttp = await call('POST', '/commands', destruction, token);
  expect(overHttp).toMatchObject({ status: 404, json: { detail: 'There is no environment "other".' } });
  const dryRun = { ...planned, name: 'Production' };
  expect((await call('POST', '/environments?dryRun=true', dryRun, token)).status).toBe(403);
  expect((await call('GET', '/schemas/commands', undefined, token)).status).toBe(200);

  const context = { triggerMetadata: { sessionId: 'other' } } as unknown as InvocationContext;
  const callback = { callback: 'https://example.com/told', replyto: 'answers' };
  await takeCommand({ ...destruction, ...callback }, context, api.services, console);
  const operation = await api.services.operations.get('default', operationIdOf('default', '/ci', '1'));
  expect(operation).toMatchObject({
    state: 'failed',
    error: { reason: 'There is no environment "other".' },
    ...{ actor: 'bus:/ci', replyTo: 'answers' },
  });
  // Roles are a sender's own by what is known of them here, and never by their word.
  await takeCommand({ ...destruction, id: '2', roles: ['admin'] }, context, api.services, console);
  const claimed = await api.services.operations.get('default', operationIdOf('default', '/ci', '2'));
  expect(claimed.error).toEqual(operation.error);
  expect(claimed).not.toHaveProperty('roles');
  await putRole('neighbour', allow, ['address:192.0.2.7']);
  const nearby = { 'x-forwarded-for': '192.0.2.7' };
  const escalated = await api.call('POST', '/commands', { ...destruction, roles: ['admin'] }, nearby);
  expect(escalated).toMatchObject({ status: 404, json: { detail: 'There is no environment "other".' } });
  const attempt = { ...destruction, data: { environment: 'prod' }, roles: ['admin'] };
  expect((await api.call('POST', '/commands', attempt, nearby)).status).toBe(403);
  // Nobody takes the place of what Skerry does by itself, or others ask for over HTTP.
  const foreign = { ...attempt, source: '/api/v1/system:planned-destruction' };
  expect(await call('POST', '/commands', foreign)).toMatchObject({ status: 400, json: { field: 'source' } });
  // Who may not watch operations makes nobody be called, who would be asked for consent first.
  expect(operation).not.toHaveProperty('subscription');
  expect((await call('GET', `/operations/${operation.id}`, undefined, token)).status).toBe(404);
});
