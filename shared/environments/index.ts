/**
 * Environments: what an operator runs, made from templates by operations. `templates/` describes what can be made, and `parts/` is
 * what they consist of.
 */
export * from './environment.ts';
export { type Environment, Environments, unknownEnvironment } from './environments.ts';
export { type ResourceGroup, ResourceGroups } from './parts/resource-groups.ts';
export { type Resource, Resources } from './parts/resources.ts';
export * from './templates/template.ts';
