import { describe, expect, it } from 'vitest';
import { weightedPick } from '../../../client/registry/weighted-pick.ts';

describe('a weighted pick', () => {
  it('chooses each as often as its weight says, and never what weighs nothing', () => {
    const items = [0, 3, 0, 1].map((weight, id) => ({ id, weight }));
    const picks = Array.from({ length: 400 }, (_, step) => weightedPick(items, step / 400)?.id);
    expect(picks.filter((id) => id === 1)).toHaveLength(300);
    expect(picks.filter((id) => id === 3)).toHaveLength(100);
  });

  it('chooses nothing where nothing weighs anything', () => {
    expect(weightedPick([], 0)).toBeUndefined();
    expect(weightedPick([{ weight: 0 }], 0.5)).toBeUndefined();
  });
});
