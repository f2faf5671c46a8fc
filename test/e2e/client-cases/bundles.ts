import { describe, expect, it } from 'vitest';
import { client } from './world.ts';

describe('bundles', () => {
  it('are written in sessions, and read by readers that stay with a version', async () => {
    const { bundles } = client;
    const first = await bundles.write(
      'mesh',
      async (draft) => {
        await draft.put('a/ü.json', '{"v":1}');
        await draft.put('b', new Uint8Array([1, 0, 255]));
      },
      { message: 'one', labels: ['v1'] },
    );
    expect(first).toMatchObject({ version: 1, fileCount: 2, message: 'one', labels: ['v1'] });
    const reader = await bundles.open('mesh', 'v1');
    const failure = new Error('no');
    const failing = bundles.write('mesh', async (draft) => {
      await draft.put('c', 'c');
      throw failure;
    });
    await expect(failing).rejects.toBe(failure);
    expect(await bundles.write('mesh', (draft) => draft.noChange())).toBeUndefined();

    const second = await bundles.write(
      'mesh',
      async (draft) => {
        await draft.put('a/ü.json', '{"v":2}');
        await draft.delete('b');
      },
      { from: 'latest', ifRevision: first?.revision },
    );
    expect(second).toMatchObject({ version: 2, fileCount: 1 });
    const same = await bundles.write('mesh', (draft) => draft.put('a/ü.json', '{"v":2}'));
    expect(same).toMatchObject({ version: 2, unchanged: true });

    expect((await reader?.readFile('a/ü.json'))?.json()).toEqual({ v: 1 });
    expect(await reader?.readFile('b')).toMatchObject({ version: 1, bytes: new Uint8Array([1, 0, 255]) });
    expect(await bundles.versions.readFile('mesh', 'latest', 'b')).toBeUndefined();
    expect(await bundles.versions.get('mesh', 9)).toBeUndefined();
    expect(await bundles.get('mesh')).toMatchObject({ name: 'mesh', latest: 2 });
    expect(await bundles.get('nobody')).toBeUndefined();
    const retention = { versions: 5, days: 1 };
    expect(await bundles.configure('mesh', { retention })).toMatchObject({ latest: 2, retention });
    expect((await Array.fromAsync(bundles.list())).map(({ name }) => name)).toContain('mesh');
    expect(await bundles.versions.diff('mesh')).toMatchObject({ from: 1, to: 2, removed: [{ path: 'b' }] });
    expect(await bundles.versions.rollback('mesh', 'v1')).toMatchObject({ version: 3, rollbackOf: 1 });
    const versions = await Array.fromAsync(bundles.versions.list('mesh', { limit: 2 }));
    expect(versions.map(({ version }) => version)).toEqual([3, 2, 1]);
  });

  it('come as archives, which can be published again', async () => {
    const { bundles } = client;
    await bundles.write('origin', (draft) => draft.put('a', 'a'));
    const reader = await bundles.open('origin');
    for (const [format, type] of [
      ['zip', 'application/zip'],
      ['tar.gz', 'application/gzip'],
    ] as const) {
      const archive = await new Response(reader?.archive({ format })).blob();
      const copy = await bundles.versions.publish(`copy-${format}`, archive, { type, labels: ['x', 'y'] });
      expect(copy).toMatchObject({ version: 1, digest: reader?.facts.digest, labels: ['x', 'y'] });
    }
  });

  it('are uploaded to storage, whole, and published once however often that is asked', async () => {
    const { bundles } = client;
    await bundles.write('small', (draft) => draft.put('a', 'a'));
    const archive = await new Response((await bundles.open('small'))?.archive()).blob();
    const draft = await bundles.drafts.start('large');
    let sent = 0;
    await draft.uploadArchive(archive, {
      onProgress(bytes) {
        sent += bytes;
      },
    });
    expect(sent).toBe(archive.size);
    expect(await bundles.drafts.get('large', draft.id)).toMatchObject({ archive: { size: archive.size } });
    await expect(draft.commit({ digest: `sha256:${'0'.repeat(64)}` })).rejects.toMatchObject({ status: 422 });
    const committed = await draft.commit();
    expect(committed).toMatchObject({ version: 1, fileCount: 1 });
    expect(await draft.commit()).toMatchObject({ version: 1 });
    expect(await bundles.drafts.get('large', draft.id)).toBeUndefined();
    await expect(draft.put('b', 'b')).rejects.toThrow('committed');
  });

  it('reach consumers through channels', async () => {
    const { bundles } = client;
    for (const content of ['1', '2']) await bundles.write('staged', (draft) => draft.put('a', content));
    const { channels, consumers } = bundles;
    const stable = await channels.activate('staged', 'stable', 1, { gates: { required: ['a'] } });
    const strategy = { steps: [{ percent: 100, bake: 3600 }] };
    expect(
      await channels.activate('staged', 'stable', 'latest', { strategy, ifRevision: stable.revision }),
    ).toMatchObject({
      version: 1,
      rollout: { version: 2, state: 'rolling' },
    });
    expect(await channels.pause('staged', 'stable')).toMatchObject({ rollout: { state: 'paused' } });
    expect(await channels.resume('staged', 'stable')).toMatchObject({ rollout: { state: 'rolling' } });
    expect((await bundles.open('staged', 'stable', { consumer: 'a' }))?.version).toBe(2);
    expect((await bundles.open('staged', 'stable'))?.version).toBe(1);
    await consumers.acknowledge('staged', { consumer: 'a', version: 2, ok: false, detail: 'no' });
    expect(await channels.get('staged', 'stable')).toMatchObject({
      version: 1,
      rollout: { state: 'failed' },
    });
    expect(await Array.fromAsync(consumers.list('staged'))).toMatchObject([
      { consumer: 'a', failed: { version: 2, detail: 'no' } },
    ]);
    expect([await consumers.delete('staged', 'a'), await consumers.delete('staged', 'a')]).toEqual([
      true,
      false,
    ]);
    await expect(channels.abort('staged', 'stable')).rejects.toMatchObject({ status: 409 });
    const refused = channels.activate('staged', 'stable', 2, { gates: { required: ['b'] } });
    await expect(refused).rejects.toMatchObject({ status: 422, body: { failures: [{ path: 'b' }] } });
    expect((await Array.fromAsync(channels.list('staged'))).map(({ channel }) => channel)).toEqual([
      'stable',
    ]);
    expect(await channels.delete('staged', 'stable')).toBe(true);
    expect(await channels.get('staged', 'stable')).toBeUndefined();
  });
});
