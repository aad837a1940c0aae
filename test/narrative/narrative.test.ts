// Goal: each rule that an operator would ask about is told by a story that anybody can read, and the engine still tells it so.
// Method: play every story file in a calm toy world and compare with what stands there; regenerate with `npx vitest run -u`.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { playStory } from '../../sim/script.ts'

const stories = readdirSync(new URL('.', import.meta.url))
  .filter((name) => name.endsWith('.txt'))
  .sort()

describe('the stories', () => {
  for (const name of stories) {
    it(name.replace('.txt', '').replaceAll('-', ' '), async () => {
      const path = fileURLToPath(new URL(name, import.meta.url))

      const told = playStory(readFileSync(path, 'utf8'))

      expect(told).not.toContain('broken:')
      await expect(told).toMatchFileSnapshot(path)
    })
  }

  it('are at least twenty', () => {
    expect(stories.length).toBeGreaterThanOrEqual(20)
  })

  it('refuse a command that nobody knows', () => {
    expect(() => playStory('# why\nconquer 3\n')).toThrow('no such command in a story: conquer 3')
  })
})
