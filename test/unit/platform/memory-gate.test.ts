import { describe, expect, it } from 'vitest';
import { MemoryGate } from '../../../shared/platform/memory-gate.ts';

const MB = 1024 * 1024;

function gateOf(patience: number) {
  return new MemoryGate({ maxBytes: 100 * MB, patience, refusal: 'Too much is read here.' });
}

describe('the gate to memory', () => {
  it('lets in one after the other, in their order, what does not fit together, and small things at once', async () => {
    const gate = gateOf(60_000);
    const order: string[] = [];
    const enter = async (name: string, bytes: number) => {
      const leave = await gate.enter(bytes);
      order.push(name);
      return leave;
    };
    const leaveFirst = await enter('first', 60 * MB);
    const second = enter('second', 60 * MB);
    const third = enter('third', 10 * MB);
    await enter('small', MB - 1);
    expect(order).toEqual(['first', 'small']);
    leaveFirst();
    leaveFirst();
    await Promise.all([second, third]);
    expect(order).toEqual(['first', 'small', 'second', 'third']);
    const huge = enter('huge', 500 * MB);
    (await second)();
    (await third)();
    (await huge)();
    await enter('last', 100 * MB);
    expect(order.slice(4)).toEqual(['huge', 'last']);
  });

  it('refuses who waits for too long, and lets in who waits behind', async () => {
    const gate = gateOf(20);
    const leave = await gate.enter(60 * MB);
    const large = gate.enter(60 * MB);
    await expect(large).rejects.toMatchObject({ kind: 'too-many-requests', retryAfterSeconds: 5 });
    (await gate.enter(40 * MB))();
    leave();
    await gate.enter(100 * MB);
  });

  it('holds for as long as the work takes, also where that fails, and without patience lets nobody wait', async () => {
    const gate = gateOf(0);
    const first = Promise.withResolvers<string>();
    const held = gate.hold(60 * MB, () => first.promise);
    await expect(gate.hold(41 * MB, () => Promise.resolve('late'))).rejects.toMatchObject({
      kind: 'too-many-requests',
      retryAfterSeconds: 5,
    });
    const small = () => gate.hold(1_000, () => Promise.resolve('small'));
    expect(await gate.hold(40 * MB, small)).toBe('small');
    expect(await gate.hold(40 * MB, () => Promise.resolve('fits'))).toBe('fits');
    first.resolve('done');
    expect(await held).toBe('done');
    await expect(gate.hold(500 * MB, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await gate.hold(500 * MB, () => Promise.resolve('alone'))).toBe('alone');
  });
});
