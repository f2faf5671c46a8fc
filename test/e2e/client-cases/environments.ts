import type { OperationUpdate, TemplateInput } from 'skerry/client';
import { describe, expect, it } from 'vitest';
import { client, NS } from './world.ts';

/** Each resource writes one key of the store `made` when it is created. */
const CHAIN: TemplateInput = {
  name: 'A chain',
  parameters: { colour: { type: 'string', default: 'red' } },
  actions: [
    {
      name: 'write',
      executor: 'config',
      command: { keys: { 'made/${environment.id}/${resource.id}': '${parameters.colour}' } },
    },
  ],
  resources: [
    { id: 'a', actions: { create: 'write', destroy: 'write' } },
    { id: 'b', dependsOn: ['a'], actions: { create: 'write', destroy: 'write' } },
  ],
};

describe('templates', () => {
  it('are kept in versions, and listed', async () => {
    expect(await client.templates.get('linked')).toBeUndefined();
    const first = await client.templates.put('linked', CHAIN, { ifRevision: 0 });
    expect(first).toMatchObject({ id: 'linked', version: 1, tags: [], resources: CHAIN.resources });
    expect(await client.templates.put('linked', CHAIN)).toMatchObject({ version: 1 });
    await client.templates.put('linked', { ...CHAIN, commit: 'c0ffee' });
    expect(await client.templates.get('linked')).toMatchObject({ version: 2, commit: 'c0ffee' });
    expect(await client.templates.get('linked', { version: 1 })).toMatchObject({
      version: 1,
      name: 'A chain',
    });
    const versions = await Array.fromAsync(client.templates.versions('linked'));
    expect(versions.map(({ version }) => version)).toEqual([2, 1]);
    const listed = await Array.fromAsync(client.templates.list());
    expect(listed).toContainEqual(expect.objectContaining({ id: 'linked', version: 2 }));
    const broken = { ...CHAIN, resources: [{ id: 'a', dependsOn: ['nobody'] }] };
    await expect(client.templates.put('linked', broken)).rejects.toMatchObject({ status: 422 });
    expect(await client.templates.delete('linked')).toBe(true);
    expect(await client.templates.delete('linked')).toBe(false);
  });
});

describe('an environment', () => {
  it('is planned, created, followed, changed, refreshed, destroyed and forgotten', async () => {
    const { environments, operations, resources } = client;
    await client.templates.put('chain', CHAIN);
    const wanted = { id: 'meadow', name: 'Meadow', templates: [{ id: 'chain' }] };
    expect(await environments.plan(wanted)).toMatchObject({ create: ['chain.a', 'chain.b'], keep: [] });
    expect(await environments.get('meadow')).toBeUndefined();

    const created = await environments.create(wanted, { idempotencyKey: 'meadow-1' });
    const updates: OperationUpdate[] = await Array.fromAsync(operations.follow(created.id));
    expect(updates.at(-1)?.operation).toEqual(await operations.get(created.id));
    expect(updates.at(-1)?.operation).toMatchObject({ state: 'succeeded', progress: { done: 2, total: 2 } });
    const ends = updates.flatMap(({ changed }) => changed.filter(({ endedAt }) => endedAt !== undefined));
    expect(ends.map(({ resource }) => resource)).toEqual(['chain.a', 'chain.b']);
    expect(await environments.wait('meadow')).toMatchObject({ state: 'Deployed-OK' });
    // The same request again is the same operation.
    expect(await environments.create(wanted, { idempotencyKey: 'meadow-1' })).toMatchObject({
      id: created.id,
    });
    await expect(environments.create(wanted)).rejects.toMatchObject({ status: 409 });

    const changes = { templates: [{ id: 'chain', parameters: { colour: 'blue' } }] };
    const updated = await environments.update('meadow', changes);
    expect(await operations.wait(updated.id)).toMatchObject({
      state: 'succeeded',
      type: 'environment.update',
    });
    expect(await client.store('made').get('meadow/chain.a')).toMatchObject({ value: 'blue' });

    await client.store('made').delete('meadow/chain.b');
    const ran = await environments.refresh('meadow');
    expect(await operations.wait(ran.id)).toMatchObject({ state: 'succeeded' });
    expect((await environments.wait('meadow'))?.drift).toMatchObject([{ resource: 'chain.b' }]);
    const made = await Array.fromAsync(resources.list({ environment: 'meadow' }));
    expect(made.map(({ id, status }) => [id, status])).toEqual([
      ['chain.a', 'ok'],
      ['chain.b', 'ok'],
    ]);

    const listed = await Array.fromAsync(operations.list({ environment: 'meadow' }));
    expect(listed.map(({ id }) => id)).toEqual([ran.id, updated.id, created.id]);
    expect(await environments.planDestruction('meadow')).toMatchObject({ destroy: expect.any(Array) });
    await operations.wait((await environments.destroy('meadow')).id);
    expect(await environments.wait('meadow', { state: 'Destroyed' })).toMatchObject({ state: 'Destroyed' });
    expect(await client.store('made').get('meadow/chain.a')).toBeUndefined();
    expect(await environments.forget('meadow')).toBe(true);
    expect(await environments.wait('meadow')).toBeUndefined();
  });

  it('holds what is written down by hand, too', async () => {
    const { environments, operations, resources, resourceGroups } = client;
    await operations.wait((await environments.create({ id: 'shed', name: 'Shed', templates: [] })).id);
    const tags = [{ name: 'kind', value: 'tool' }];
    const spade = await resources.put('shed', 'spade', { name: 'A spade', tags }, { ifRevision: 0 });
    expect(await resources.get('shed', 'spade')).toEqual(spade);
    const tagged = await Array.fromAsync(resources.list({ environment: 'shed', tag: 'kind:tool' }));
    expect(tagged).toEqual([spade]);
    await resourceGroups.put('shed', 'tools', { name: 'Tools', resources: ['spade'] });
    expect(await resourceGroups.get('shed', 'tools')).toMatchObject({ resources: ['spade'] });
    expect(await resourceGroups.delete('shed', 'tools')).toBe(true);
    expect(await resources.delete('shed', 'spade')).toBe(true);
    expect(await resources.get('shed', 'spade')).toBeUndefined();
  });
});

describe('a command', () => {
  it('is the operation that its id says, and is done once', async () => {
    const { commands, operations } = client;
    const command = {
      id: 'one',
      source: '/test/client',
      type: 'template.import',
      data: { id: 'imported', template: { name: 'Imported' } },
    };
    const id = await commands.operationId(NS, '/test/client', 'one');
    const following = operations.wait(id);
    expect(await commands.send(command)).toMatchObject({ id, session: 'template:imported' });
    expect(await following).toMatchObject({ state: 'succeeded' });
    expect(await commands.send(command)).toMatchObject({ id, state: 'succeeded' });
    expect(await client.templates.get('imported')).toMatchObject({ version: 1 });
    await expect(commands.send({ ...command, data: {} })).rejects.toMatchObject({
      status: expect.any(Number),
    });
    await expect(operations.cancel(id)).rejects.toMatchObject({ status: 409 });
    expect(await operations.get('op_00000000000000000000000000')).toBeUndefined();
  });
});
