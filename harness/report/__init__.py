"""Pictures. They are made of tables and of nothing else; Altair draws them (the extra `report`)."""
