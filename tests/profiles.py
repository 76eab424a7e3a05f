"""How much hypothesis tries: ``pytest --hypothesis-profile=long`` tries more."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    max_examples=50,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "long", settings.get_profile("ci"), max_examples=1_000, derandomize=False
)
settings.load_profile("ci")
