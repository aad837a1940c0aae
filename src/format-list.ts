/**
 * Lays fields out as PowerShell's Format-List (`| fl`) does: labels left-aligned, the colon one column behind the longest of
 * them, nothing behind the colon of an empty value.
 */
export function formatList(fields: readonly (readonly [label: string, value: string])[]): string[] {
  const labelWidth = Math.max(0, ...fields.map(([label]) => label.length))
  return fields.map(([label, value]) => `${label.padEnd(labelWidth)} : ${value}`.trimEnd())
}
