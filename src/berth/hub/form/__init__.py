"""The form, the REST options and the availability table: what may be asked for, and what can start now."""
