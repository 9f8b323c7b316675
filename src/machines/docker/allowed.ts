import picomatch from 'picomatch';
import type { PullPolicy } from '../../contracts/job-spec.js';
import { MachineError, type EngineSettings, type MachineRequest, type ServiceRequest } from '../engine.js';

/** An image to get, and how. */
export interface WantedImage {
  name: string;
  policies: PullPolicy[];
  platform?: string;
}

export interface AllowedRequest {
  image: WantedImage;
  user: string | undefined;
  entrypoint: string[] | undefined;
  services: { request: ServiceRequest; image: WantedImage }[];
  /** For the trace: what was asked for and is not followed. */
  warnings: string[];
}

/**
 * Holds a job against what the operator allows on this engine (gitlab-protocol sections 5.6, 5.7).
 * @throws MachineError NOT_ALLOWED, naming what, the rule, and the setting
 */
export function assertAllowed(settings: EngineSettings, request: MachineRequest): AllowedRequest {
  const name = request.image?.name ?? settings.defaultImage;
  if (name !== settings.defaultImage) assertListed(name, settings.allowedImages, 'image', 'allowedImages');
  if (settings.servicesLimit >= 0 && request.services.length > settings.servicesLimit) {
    throw refused(
      `The job asks for ${String(request.services.length)} services; this runner allows ${String(settings.servicesLimit)} (servicesLimit)`,
    );
  }
  const asked = [request.image, ...request.services];
  const ignored = settings.disableEntrypointOverwrite && asked.some((image) => image?.entrypoint !== undefined);
  return {
    image: wanted(settings, name, request.image?.pullPolicy, request.image?.platform),
    user: settings.user ?? allowedUser(settings, request.image?.user),
    entrypoint: settings.disableEntrypointOverwrite ? undefined : request.image?.entrypoint,
    services: request.services.map((service) => allowedService(settings, service)),
    warnings: ignored ? ['Entrypoint override disabled (disableEntrypointOverwrite)'] : [],
  };
}

function allowedService(settings: EngineSettings, service: ServiceRequest): AllowedRequest['services'][number] {
  assertListed(service.name, settings.allowedServices, 'service', 'allowedServices');
  const { user: asked, entrypoint, ...rest } = service;
  const user = allowedUser(settings, asked);
  return {
    request: {
      ...rest,
      ...(user === undefined ? {} : { user }),
      ...(entrypoint === undefined || settings.disableEntrypointOverwrite ? {} : { entrypoint }),
    },
    image: wanted(settings, service.name, service.pullPolicy, service.platform),
  };
}

function wanted(
  settings: EngineSettings,
  name: string,
  asked: PullPolicy[] | undefined,
  platform: string | undefined,
): WantedImage {
  const policies = asked === undefined || asked.length === 0 ? settings.pullPolicy : asked;
  const allowed = settings.allowedPullPolicies.length > 0 ? settings.allowedPullPolicies : settings.pullPolicy;
  const forbidden = policies.find((policy) => !allowed.includes(policy));
  if (forbidden !== undefined) {
    throw refused(
      `Pull policy "${forbidden}" of image ${name} is not allowed here; allowed: ${allowed.join(', ')} (allowedPullPolicies)`,
    );
  }
  return { name, policies, ...(platform === undefined ? {} : { platform }) };
}

/** A configured user wins over the job's, and needs no leave. */
function allowedUser(settings: EngineSettings, asked: string | undefined): string | undefined {
  if (asked === undefined || settings.allowedUsers.length === 0 || settings.allowedUsers.includes(asked)) return asked;
  throw refused(`User "${asked}" is not allowed here; allowed: ${settings.allowedUsers.join(', ')} (allowedUsers)`);
}

function assertListed(name: string, patterns: string[], what: string, setting: string): void {
  if (patterns.length === 0 || matchesAny(name, patterns)) return;
  throw refused(`The ${what} "${name}" is not allowed here; allowed: ${patterns.join(', ')} (${setting})`);
}

/** GitLab's globs: `*` stops at a slash, `**` does not, `{a,b}` and `[a-z]`; a leading `!` and brackets are plain text. */
export function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => picomatch(pattern, { dot: true, nonegate: true, noextglob: true })(name));
}

function refused(message: string): MachineError {
  return new MachineError('NOT_ALLOWED', message, { retryable: false, traceMessage: message });
}
