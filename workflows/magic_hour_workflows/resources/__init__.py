"""The resources that have workflows on top of their generated methods: thin public methods, sync and async."""
