/** How long a snapshot may keep a store or a copy standing still, in milliseconds, where nobody says it. Source: VSS gives its writers 60 s. */
export const FREEZE_MS_DEFAULT = 60_000
/** The longest that anybody may ask for, in milliseconds. */
export const FREEZE_MS_MAX = 600_000
