import './soak/main.ts'
