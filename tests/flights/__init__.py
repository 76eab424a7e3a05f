"""The source of the area flights, by real parts: airline, standby, connector.

| module | holds |
|---|---|
| ``airline`` | both servers and the connector, as tests look at them and harm them |
| ``replay`` | the rows that live, by plain replay of all topics |
"""
