"""The rows of a profile by subject; roost.messaging.records is the one door to them."""
