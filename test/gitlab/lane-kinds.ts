import type { LaneKind } from '../support/gitlab/lanes.js';

/** Which kinds of `gitlab:` entries there are for scenarios, and how many of each run at once. */
export const LANE_KINDS: { kinds: Record<string, LaneKind>; engines: Record<string, object> } = {
  kinds: {
    usual: { count: 8 },
    /** Its logs are cut at 16 KiB. */
    'short-log': { count: 1, settings: { outputLimit: '16KiB' } },
    /** Its operator adds to each job. */
    operator: {
      count: 1,
      settings: {
        environment: { FROM_OPERATOR: 'operator', OVERRIDDEN: 'operator' },
        preBuildScript: 'echo "pre_build of $FROM_OPERATOR"',
        postBuildScript: 'echo "post_build in the same shell: $LEFT_BY_SCRIPT"',
        preGetSourcesScript: 'echo "operator before sources"',
        postGetSourcesScript: 'echo "operator after sources"',
      },
    },
    /** On an engine with narrow rules. */
    strict: { count: 3, settings: { pool: 'strict' } },
  },
  engines: {
    strict: {
      capacity: 4,
      warm: 1,
      allowedImages: ['holdfast/test-*:1', 'holdfast/missing/**'],
      allowedServices: ['holdfast/test-*:1'],
      allowedUsers: ['1000'],
      servicesLimit: 1,
      pullPolicy: ['if-not-present'],
      allowedPullPolicies: ['never', 'if-not-present'],
      capDrop: ['ALL'],
      securityOpt: ['no-new-privileges'],
      memory: '64m',
      serviceMemory: '32m',
      cpus: 0.5,
    },
  },
};
