"""How much a fusion model uses its modalities together, from coalition values to federated figures.

`coalitions` asks the model what it says with modalities hidden, `background` what stands for a
hidden one, `shares` turns the answers of one patient into contributions, `tallies` sums them over
patients and sites, `figures` reads every cohort figure and its standard error off those sums.
`module` does all of it for anybody's torch module.
"""
