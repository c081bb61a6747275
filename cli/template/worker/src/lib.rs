//! What is deployed: Roomcast's gateway and objects, with the rooms of my-app.

gateway::worker!(my_app_rooms::behaviors);
