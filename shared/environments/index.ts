/**
 * Environments: what an operator runs, made from templates by operations. `templates/` describes what can be made, `planning/` says what
 * has to be done, `commands/` what commands mean, `parts/` is what environments consist of, and `status/` how they are.
 */
export { environmentRules } from './commands/environment-rules.ts';
export * from './environment.ts';
export * from './environment-schema.ts';
export { type Environment, Environments, unknownEnvironment } from './environments.ts';
export { ANY_RESOURCE_ID_PATTERN, GROUP_PREFIX, partIdSchema, tagSchema } from './name.ts';
export {
  type EnvironmentParts,
  type PartValue,
  unknownPart,
  type WriteOptions,
  type WrittenPart,
} from './parts/environment-parts.ts';
export { type ResourceGroup, ResourceGroups } from './parts/resource-groups.ts';
export { type Resource, Resources } from './parts/resources.ts';
export { type EnvironmentPlan, EnvironmentPlanner } from './planning/environment-planner.ts';
export type { Plan } from './planning/plan-changes.ts';
export { FIRST_STATE, ruleOf, transition } from './state-machine.ts';
export * from './status/index.ts';
export { usersOfTemplate } from './template-users.ts';
export { templatesNamedBy } from './templates/other-templates.ts';
export * from './templates/template.ts';
export { templateDefinitionSchema, templateShape, toDefinition } from './templates/template-schema.ts';
export { type Template, type TemplateSummary, Templates, unknownTemplate } from './templates/templates.ts';
