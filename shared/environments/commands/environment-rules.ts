import type { CommandRule } from '../../operations/index.ts';
import { ActionRule } from './action-rule.ts';
import { CreationRule, UpdateRule } from './deployment-rule.ts';
import { DestructionRule } from './destruction-rule.ts';
import type { EnvironmentRuleParts } from './environment-rule.ts';
import { ImportRule, type ImportRuleParts } from './import-rule.ts';
import { RefreshRule } from './refresh-rule.ts';

/** What the commands about environments and templates mean. */
export function environmentRules(parts: EnvironmentRuleParts & ImportRuleParts): CommandRule[] {
  return [
    new CreationRule(parts),
    new UpdateRule(parts),
    new DestructionRule(parts),
    new ActionRule(parts),
    new RefreshRule(parts),
    new ImportRule(parts),
  ] as CommandRule[];
}
